//! `--peak`: a burst, and a consumer with a rate limit that makes a steady flow of it.
//!
//! The member runs in a process of its own, so that its resident memory is nobody else's; it handles each message by
//! itself, with a handler that does nothing but note the time. A first message makes it warm. Then the whole burst is
//! appended as fast as possible, and the member is watched until it has handled it. The rate is that from the first
//! message that was heard of to the last; what the limit lets through at once after the silence, a twentieth of a second's,
//! is in it, and only shows in short runs. The lowest and the highest of one second are told beside it. Memory is sampled
//! from the kernel all the time, and the kernel's own high-water mark is read at the end.

use std::time::Duration;

use anyhow::Result;
use outbox_core::Publisher as _;
use serde_json::Map;

use super::{QUEUES, ours};
use crate::cli::{Common, QueueArgs};
use crate::clock;
use crate::content::{self, PAYLOAD_BYTES};
use crate::database::Server;
use crate::floor::log::BareLog;
use crate::progress::Progress;
use crate::report::{Report, Table, number, pretty, pretty_range};
use crate::resident::{highest_mib, resident_mib};
use crate::stats::Spread;
use crate::subprocess::{MemberSetup, Worker};

const MESSAGES: u64 = 100_000;
const RATE: u32 = 1_000;
const SAMPLE_EVERY: Duration = Duration::from_millis(50);
/// Over which time a rate of its own is told.
const WINDOW: Duration = Duration::from_secs(1);
const CONNECTIONS: u32 = 3;

pub(super) async fn run<E: BareLog>(
    common: &Common,
    args: &QueueArgs,
    server: &mut Server,
) -> Result<Report> {
    let limit = args.rate.unwrap_or(RATE);
    // Half of the time is for what surrounds it.
    let messages = args
        .messages
        .unwrap_or_else(|| common.scaled(MESSAGES, f64::from(limit) * 0.5, u64::from(limit)));
    let database = server.database().await?;
    let pool = E::pool(&database.url, CONNECTIONS).await?;
    let queue = ours::queue(&pool).await?;
    let setup = MemberSetup {
        rate_limit: Some(limit),
        ..MemberSetup::default()
    };
    let mut member = Worker::start_member(&database, setup).await?;
    let first = ours::message(0, &content::payload(0))?;
    for answer in queue.publisher().publish(&[first]).await {
        answer?;
    }
    member.until_settled(1).await?;
    let start = resident_mib(member.pid())?;

    let progress = Progress::new(messages);
    progress.says("a burst");
    let publisher = queue.publisher();
    let batches = ours::batches(messages)?;
    let begun = clock::now();
    let appending = tokio::spawn(ours::append(publisher, batches));
    let mut samples = vec![start];
    // How many were handled, and when.
    let mut handled: Vec<(u64, Duration)> = Vec::new();
    let mut tick = tokio::time::interval(SAMPLE_EVERY);
    while member.settled().0 < messages + 1 {
        tokio::select! {
            progressed = member.until_progress() => {
                progressed?;
                handled.push(member.settled());
                progress.at(member.settled().0);
            }
            _ = tick.tick() => samples.push(resident_mib(member.pid())?),
        }
    }
    let appended = appending.await??;
    let end = resident_mib(member.pid())?;
    samples.push(end);
    let highest = highest_mib(member.pid())?;
    member.stop().await?;
    drop(progress);
    pool.close().await;

    let rate = rate_of(&handled);
    let windows = Spread::of(&by_window(&handled));
    let deviation = (rate / f64::from(limit) - 1.0) * 100.0;
    let memory = Spread::of(&samples);
    let took = handled
        .last()
        .map_or(Duration::ZERO, |&(_, at)| at.saturating_sub(begun));
    let mut table = Table::new(["a burst at a limited rate", "found", "told"]);
    table.row(["limit, messages/s", &pretty(f64::from(limit)), ""]);
    table.row(["rate, messages/s", &pretty(rate), ""]);
    table.row(["deviation, %", &pretty(deviation), ""]);
    table.row([
        "lowest – highest second, messages/s",
        &pretty_range(windows.low, windows.high),
        "",
    ]);
    table.row(["resident memory at start, MiB", &pretty(start), ""]);
    table.row(["highest, MiB", &pretty(highest), "the kernel's mark"]);
    table.row(["at the end, MiB", &pretty(end), ""]);
    let mut details = Map::new();
    details.insert("limit".into(), limit.into());
    details.insert("rate".into(), number(rate));
    details.insert("deviation_percent".into(), number(deviation));
    details.insert("rate_of_one_second".into(), windows.into());
    details.insert("append_seconds".into(), number(appended.as_secs_f64()));
    details.insert("seconds".into(), number(took.as_secs_f64()));
    details.insert("start_mib".into(), number(start));
    details.insert("max_mib".into(), number(highest));
    details.insert("end_mib".into(), number(end));
    details.insert("resident_mib".into(), memory.into());
    let mut settings = server.settings();
    settings.insert("messages".into(), messages.into());
    settings.insert("payload_bytes".into(), PAYLOAD_BYTES.into());
    settings.insert("queues".into(), QUEUES.into());
    Ok(Report {
        scenario: "queue",
        database: common.database.to_string(),
        unit: "messages/s",
        measured: format!(
            "{} messages, appended within {} s, and consumed by a member in a process of its own at no more than {} a \
             second.",
            pretty(messages as f64),
            pretty(appended.as_secs_f64()),
            pretty(f64::from(limit))
        ),
        floor: Some(f64::from(limit)),
        ours: rate,
        ratio: Some(rate / f64::from(limit)),
        rounds: 1,
        settings,
        details,
        table,
        notes: vec![
            "The floor is the limit. A second's rate may be above it by the limiter's burst, a twentieth of the limit."
                .to_owned(),
        ],
    })
}

/// Messages a second, from the first report to the last.
fn rate_of(handled: &[(u64, Duration)]) -> f64 {
    match (handled.first(), handled.last()) {
        (Some(&(first, from)), Some(&(last, to))) if to > from => {
            (last - first) as f64 / (to - from).as_secs_f64()
        }
        _ => f64::NAN,
    }
}

/// The rates of stretches of about [`WINDOW`].
fn by_window(handled: &[(u64, Duration)]) -> Vec<f64> {
    let mut rates = Vec::new();
    let mut begin = 0;
    for (at, &(_, time)) in handled.iter().enumerate() {
        if time.saturating_sub(handled[begin].1) >= WINDOW {
            rates.push(rate_of(&handled[begin..=at]));
            begin = at;
        }
    }
    rates
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_those_between_reports() {
        let at = |n: u64, millis: u64| (n, Duration::from_millis(millis));
        let handled = [at(50, 0), at(550, 500), at(1_050, 1_000), at(3_050, 2_000)];
        assert_eq!(rate_of(&handled), 1_500.0);
        assert_eq!(by_window(&handled), [1_000.0, 2_000.0]);
        assert!(rate_of(&handled[..1]).is_nan());
        assert!(by_window(&[]).is_empty());
    }
}
