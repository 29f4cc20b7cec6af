//! Dead letters in a log, where nothing is changed and what is done with one is written behind it: the newest record of each place
//! counts. Pure.

use std::collections::{BTreeMap, HashMap};

use crate::dead_letters::DeadLetter;

/// Where a record of the log is; their order is that of the log.
pub(crate) trait Reference: Clone + Ord {
    /// Where its message was, by which records about one dead letter are told.
    fn place(&self) -> &str;
}

/// What is left of the log, read from its beginning.
#[derive(Debug)]
pub(crate) struct Newest<R> {
    letters: BTreeMap<R, DeadLetter>,
    at: HashMap<String, R>,
}

impl<R: Reference> Newest<R> {
    pub(crate) fn new() -> Self {
        Self {
            letters: BTreeMap::new(),
            at: HashMap::new(),
        }
    }

    /// The next record: a dead letter, or that there is none at its place any more.
    pub(crate) fn read(&mut self, reference: R, letter: Option<DeadLetter>) {
        if let Some(before) = self.at.remove(reference.place()) {
            self.letters.remove(&before);
        }
        if let Some(letter) = letter {
            self.at.insert(reference.place().to_owned(), reference.clone());
            self.letters.insert(reference, letter);
        }
    }

    /// At most so many, in their order, behind one.
    pub(crate) fn page(self, after: Option<&R>, limit: usize) -> Vec<DeadLetter> {
        let letters = self.letters.into_iter();
        let behind = letters.filter(|(reference, _)| after.is_none_or(|after| reference > after));
        behind.map(|(_, letter)| letter).take(limit).collect()
    }

    /// The one of the same place, wherever in the log it is by now.
    pub(crate) fn find(mut self, wanted: &R) -> Option<(R, DeadLetter)> {
        let reference = self.at.remove(wanted.place())?;
        let letter = self.letters.remove(&reference)?;
        Some((reference, letter))
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use outbox_core::Message;

    use super::*;

    impl Reference for (u32, &'static str) {
        fn place(&self) -> &str {
            self.1
        }
    }

    fn letter(text: &str) -> DeadLetter {
        DeadLetter {
            reference: text.to_owned(),
            message: Message::builder("t").json(&text).unwrap().build().unwrap(),
            attempts: 1,
            error: String::new(),
            died_at: SystemTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn the_newest_record_of_a_place_counts() {
        let log = || {
            let mut newest = Newest::new();
            newest.read((1, "a"), Some(letter("a1")));
            newest.read((2, "b"), Some(letter("b")));
            newest.read((3, "c"), Some(letter("c")));
            newest.read((4, "a"), Some(letter("a2")));
            newest.read((5, "b"), None);
            newest.read((6, "nobody's"), None);
            newest
        };
        let page = |after: Option<&(u32, &'static str)>, limit| {
            let page = log().page(after, limit).into_iter();
            page.map(|letter| letter.reference).collect::<Vec<_>>()
        };
        assert_eq!(page(None, 10), ["c", "a2"]);
        assert_eq!(page(None, 1), ["c"]);
        // One that was removed meanwhile still says where to go on.
        assert_eq!(page(Some(&(2, "b")), 10), ["c", "a2"]);
        assert_eq!(page(Some(&(3, "c")), 10), ["a2"]);
        assert_eq!(log().find(&(1, "a")).unwrap().0, (4, "a"));
        assert!(log().find(&(2, "b")).is_none());
    }
}
