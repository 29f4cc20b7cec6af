//! Errors that differ only in what they name are one error. Pure.

use std::fmt;
use std::str::FromStr;

use crate::error::OutboxError;

/// So many bytes of an error's text count; what follows is more of the same.
const TEXT_MAX: usize = 4_096;

/// What is left of an error's text without numbers, ids, quoted texts and durations, as a short hash: dead letters with the
/// same one most likely died of the same cause.
///
/// It is computed by this library from the text that is stored, is the same in every process and on every database, and is
/// stored nowhere. Status codes are numbers too: `status 503` and `status 404` are one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(u64);

impl Fingerprint {
    /// Of an error's text. That no error is stored is a fingerprint too.
    pub fn of(error: Option<&str>) -> Self {
        Self(fnv(normalised(error.unwrap_or_default()).as_bytes()))
    }
}

/// 16 hexadecimal digits.
impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

/// What [`Display`](fmt::Display) wrote.
impl FromStr for Fingerprint {
    type Err = OutboxError;

    fn from_str(text: &str) -> Result<Self, OutboxError> {
        let is_one = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let hash = is_one.then(|| u64::from_str_radix(text, 16).ok()).flatten();
        hash.map(Self).ok_or_else(|| OutboxError::NotA {
            what: "error fingerprint (16 hexadecimal digits)",
            text: text.to_owned(),
        })
    }
}

/// FNV-1a, because it is short, and the same for ever.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// The text with `#` for each run of what varies. Never longer than the text.
fn normalised(text: &str) -> String {
    let mut rest = cut(text, TEXT_MAX);
    let mut out = String::with_capacity(rest.len());
    while let Some(first) = rest.chars().next() {
        let boundary = !out.ends_with(|last: char| last.is_alphanumeric());
        let taken = if first.is_whitespace() {
            push_space(&mut out);
            rest.len() - rest.trim_start().len()
        } else if let Some(length) = quoted(rest, boundary)
            .or_else(|| uuid(rest, boundary))
            .or_else(|| number(rest, boundary))
        {
            push_varying(&mut out);
            length
        } else {
            let length = word(rest);
            if varies(&rest[..length]) {
                push_varying(&mut out);
            } else {
                out.push_str(&rest[..length]);
            }
            length
        };
        rest = &rest[taken..];
    }
    out.truncate(out.trim_end().len());
    out
}

/// At most so many bytes, and no part of a character.
pub(super) fn cut(text: &str, bytes: usize) -> &str {
    let mut end = bytes.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

fn push_space(out: &mut String) {
    if !out.is_empty() && !out.ends_with(' ') {
        out.push(' ');
    }
}

/// A list of what varies is one such thing, however long it is.
fn push_varying(out: &mut String) {
    let before = out.trim_end_matches([' ', ',']).len();
    if out[..before].ends_with('#') {
        out.truncate(before);
    } else {
        out.push('#');
    }
}

/// The length of a quoted text: up to the same mark before something that is no letter, so that an apostrophe is none.
fn quoted(text: &str, boundary: bool) -> Option<usize> {
    let mark = text
        .chars()
        .next()
        .filter(|first| matches!(first, '"' | '\'' | '`'))?;
    if !boundary {
        return None;
    }
    let inner = &text[1..];
    let mut escaped = false;
    for (at, next) in inner.char_indices() {
        match next {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if next == mark && !inner[at + 1..].starts_with(char::is_alphanumeric) => return Some(at + 2),
            _ => {}
        }
    }
    None
}

/// The length of a UUID with its hyphens.
fn uuid(text: &str, boundary: bool) -> Option<usize> {
    const LENGTH: usize = 36;
    let candidate = text.as_bytes().get(..LENGTH).filter(|_| boundary)?;
    let fits = candidate.iter().enumerate().all(|(at, byte)| match at {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    });
    // What fits is ASCII, so it ends with a character.
    (fits && !text[LENGTH..].starts_with(char::is_alphanumeric)).then_some(LENGTH)
}

/// The length of a number with what belongs to it: a sign, further groups (`1,000.5`, `10:00:00.123Z`, `10.0.0.1:80`), and
/// the unit of a duration.
fn number(text: &str, boundary: bool) -> Option<usize> {
    if !boundary {
        return None;
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !unsigned.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    let mut rest = &unsigned[word(unsigned)..];
    while let Some(group) = rest.strip_prefix(['.', ',', ':', '-', '+', '/'])
        && group.starts_with(|first: char| first.is_ascii_digit())
    {
        rest = &group[word(group)..];
    }
    let spaced = rest.trim_start_matches(' ');
    let unit = &spaced[..word(spaced)];
    if spaced.len() < rest.len() && UNITS.contains(&unit) {
        rest = &spaced[unit.len()..];
    }
    Some(text.len() - rest.len())
}

/// What may stand behind a number, when it is a duration.
const UNITS: [&str; 26] = [
    "ns",
    "us",
    "µs",
    "μs",
    "ms",
    "s",
    "m",
    "h",
    "d",
    "sec",
    "secs",
    "second",
    "seconds",
    "min",
    "mins",
    "minute",
    "minutes",
    "hour",
    "hours",
    "day",
    "days",
    "millisecond",
    "milliseconds",
    "microseconds",
    "nanoseconds",
    "msec",
];

/// The length of a run of letters and digits, or of the one character that is neither.
fn word(text: &str) -> usize {
    let run = text.len() - text.trim_start_matches(char::is_alphanumeric).len();
    match run {
        0 => text.chars().next().map_or(0, char::len_utf8),
        _ => run,
    }
}

/// Whether a word is more likely an id than a word: one with a digit, or hexadecimal and long.
fn varies(word: &str) -> bool {
    const HEX_MIN: usize = 8;
    word.bytes().any(|byte| byte.is_ascii_digit())
        || (word.len() >= HEX_MIN && word.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_varies_is_left_out() {
        for (text, normal) in [
            ("", ""),
            ("no", "no"),
            ("  it  doesn't\n work ", "it doesn't work"),
            ("order 7 is unknown", "order # is unknown"),
            ("order-17 is unknown", "order-# is unknown"),
            ("timed out after 30s", "timed out after #"),
            ("timed out after 1.5 seconds", "timed out after #"),
            ("timed out after 1m 30s", "timed out after #"),
            (
                "balance -5.20 of account 'A B', too low",
                "balance # of account #, too low",
            ),
            (r#"no row "it's \" here" in it"#, "no row # in it"),
            ("key deadbeefcafe, 0xFF and a3f9", "key # and #"),
            (
                "message 0190b5a0-aaaa-7bbb-8ccc-ddddeeeeffff is late",
                "message # is late",
            ),
            (
                "message abcdefab-aaaa-abbb-accc-ddddeeeeffff is late",
                "message # is late",
            ),
            (
                "connect 10.0.0.1:5432 at 2024-01-01T10:00:00.123Z",
                "connect # at #",
            ),
            ("ids [1, 2, 3] are gone", "ids [#] are gone"),
            ("größe 5µs ☃", "größe # ☃"),
            ("an 'open quote", "an 'open quote"),
        ] {
            assert_eq!(normalised(text), normal, "{text:?}");
        }
    }

    #[test]
    fn it_is_the_same_for_ever() {
        // Operators write it into runbooks and tickets.
        assert_eq!(Fingerprint::of(None).to_string(), "cbf29ce484222325");
        assert_eq!(Fingerprint::of(Some("")), Fingerprint::of(None));
        assert_eq!(
            Fingerprint::of(Some("order 7 is unknown")),
            Fingerprint::of(Some("order # is unknown"))
        );
        let written = Fingerprint::of(Some("status 503")).to_string();
        assert_eq!(
            written.parse::<Fingerprint>().unwrap(),
            Fingerprint::of(Some("status 404"))
        );
        for text in [
            "",
            "cbf29ce48422232",
            "cbf29ce4842223255",
            "+bf29ce484222325",
            "no hash at all!",
        ] {
            assert!(text.parse::<Fingerprint>().is_err(), "{text:?}");
        }
    }

    #[derive(Debug, Clone)]
    enum Part {
        Word(&'static str),
        /// The same kind of thing, twice.
        Varying(String, String),
    }

    fn part() -> impl Strategy<Value = Part> {
        let word = prop::sample::select(vec![
            "order", "could", "not", "be", "found", "größe", "don't", "(try)",
        ]);
        let twice = |regex: &'static str| (regex, regex).prop_map(|(one, two)| Part::Varying(one, two));
        prop_oneof![
            3 => word.prop_map(Part::Word),
            1 => twice("[0-9]{1,12}"),
            1 => twice("-?[0-9]{1,3}\\.[0-9]{1,3}"),
            1 => twice("[0-9]{1,4}(ns|us|ms|s|m|h)"),
            1 => twice("[0-9]{1,4} (ms|seconds|minutes|h)"),
            1 => twice("0x[0-9a-f]{1,16}"),
            1 => twice("[0-9a-f]{8,32}"),
            1 => twice("[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"),
            1 => twice("\"[ a-zA-Z0-9,.:]{0,20}\""),
            1 => twice("'[ a-zA-Z0-9,.:]{0,20}'"),
        ]
    }

    fn written(parts: &[Part], second: bool) -> String {
        let texts = parts.iter().map(|part| match part {
            Part::Word(word) => (*word).to_owned(),
            Part::Varying(one, two) => if second { two } else { one }.clone(),
        });
        texts.collect::<Vec<_>>().join(" ")
    }

    proptest! {
        #[test]
        fn the_same_error_with_other_ids_is_the_same(parts in prop::collection::vec(part(), 0..12)) {
            let (one, two) = (written(&parts, false), written(&parts, true));
            prop_assert_eq!(normalised(&one), normalised(&two));
            prop_assert_eq!(Fingerprint::of(Some(&one)), Fingerprint::of(Some(&two)));
        }

        #[test]
        fn another_error_is_another(parts in prop::collection::vec(part(), 0..8)) {
            let text = written(&parts, false);
            prop_assert_ne!(Fingerprint::of(Some(&text)), Fingerprint::of(Some(&format!("refused {text}"))));
        }

        #[test]
        fn any_text_has_one_and_it_is_bounded(text in any::<String>()) {
            prop_assert!(normalised(&text).len() <= text.len().min(TEXT_MAX));
        }
    }

    #[test]
    fn what_follows_a_long_text_does_not_count() {
        let long = "é".repeat(TEXT_MAX);
        assert_eq!(normalised(&long).len(), TEXT_MAX);
        assert_eq!(
            Fingerprint::of(Some(&long)),
            Fingerprint::of(Some(&format!("{long}, too")))
        );
    }
}
