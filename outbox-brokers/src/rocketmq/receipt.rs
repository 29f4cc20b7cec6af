//! What a message that was received is acknowledged by (`ExtraInfoUtil` of RocketMQ's sources). Pure.

use super::frame::Command;
use super::record::Record;

/// Of topics that hold what a group gets again, and of those whose name has a `+` in it.
const RETRY: &str = "%RETRY%";

/// A receipt, and what of it an outcome names beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Receipt {
    pub(super) text: String,
    /// Where the message is: its own topic, or the one of what the group gets again.
    pub(super) topic: String,
    pub(super) queue: i32,
    pub(super) offset: i64,
}

impl Receipt {
    /// As the server wrote it into the message.
    pub(super) fn parse(text: &str, topic: &str, group: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split(' ').collect();
        let [_, _, _, _, kind, _, queue, offset] = parts[..] else {
            return None;
        };
        Some(Self {
            topic: match kind {
                "1" => format!("{RETRY}{group}_{topic}"),
                "2" => format!("{RETRY}{group}+{topic}"),
                _ => topic.to_owned(),
            },
            queue: queue.parse().ok()?,
            offset: offset.parse().ok()?,
            text: text.to_owned(),
        })
    }

    /// Of a message that came with others in an answer.
    pub(super) fn of(answer: &Command, record: &Record, broker: &str) -> Option<Self> {
        let kind = kind(&record.topic);
        let queue = record.queue.to_string();
        let start = entries(answer.field("startOffsetInfo")?)
            .find_map(|[of, at, start]| (of == kind && at == queue).then_some(start))?;
        let (popped, invisible) = (answer.field("popTime")?, answer.field("invisibleTime")?);
        let revive = answer.field("reviveQid")?;
        let offset = record.offset;
        Some(Self {
            text: format!("{start} {popped} {invisible} {revive} {kind} {broker} {queue} {offset}"),
            topic: record.topic.clone(),
            queue: record.queue,
            offset,
        })
    }
}

/// How often a message was delivered before that is to be in order.
pub(super) fn failed_in_order(answer: &Command, record: &Record) -> u32 {
    let Some(counts) = answer.field("orderCountInfo") else {
        return 0;
    };
    let kind = kind(&record.topic);
    let of = |wanted: String| {
        entries(counts)
            .find(|[of, key, _]| *of == kind && *key == wanted)
            .and_then(|[_, _, count]| count.parse().ok())
    };
    let message = of(format!("qo{}%{}", record.queue, record.offset));
    message.or_else(|| of(record.queue.to_string())).unwrap_or(0)
}

fn kind(topic: &str) -> &'static str {
    match topic.strip_prefix(RETRY) {
        Some(rest) if rest.contains('+') => "2",
        Some(_) => "1",
        None => "0",
    }
}

/// Three words each, divided by semicolons.
fn entries(text: &str) -> impl Iterator<Item = [&str; 3]> {
    text.split(';').filter_map(|entry| {
        let mut words = entry.split(' ');
        let entry = [words.next()?, words.next()?, words.next()?];
        words.next().is_none().then_some(entry)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_names_where_the_message_is() {
        let receipt = Receipt::parse("7 1700000000000 2000 0 1 broker-a 3 9", "t", "g").unwrap();
        assert_eq!(
            (&*receipt.topic, receipt.queue, receipt.offset),
            ("%RETRY%g_t", 3, 9)
        );
        assert_eq!(
            Receipt::parse("7 17 2000 0 0 b 3 9", "t", "g").unwrap().topic,
            "t"
        );
        assert_eq!(
            Receipt::parse("7 17 2000 0 2 b 3 9", "t", "g").unwrap().topic,
            "%RETRY%g+t"
        );
        for broken in ["", "7", "7 17 2000 0 0 b x 9", "7 17 2000 0 0 b 3 9 9"] {
            assert_eq!(Receipt::parse(broken, "t", "g"), None, "{broken:?}");
        }
    }
}
