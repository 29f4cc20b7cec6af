use std::collections::HashSet;
use std::time::{Duration, Instant};

use super::store::{FloorRule, ShardSet};

/// A pass is abandoned for a rewind after this many pages, so that one long backlog can't keep a freed
/// key waiting.
const PAGES_BEFORE_REWIND: u32 = 32;

/// Ids that the first statement of a long pass looks through at most.
const SPAN: i64 = 100_000;
/// And no statement fewer than these.
const SPAN_MIN: i64 = 10_000;
/// A statement that took longer than the first was asked too much, one that took less than the second too little.
const SPAN_TOOK: (Duration, Duration) = (Duration::from_millis(100), Duration::from_millis(25));
/// How often writers, most of which last a few milliseconds, are asked after before a full pass; once before others.
const EARLY_ASKS: u32 = 10;

/// A set of shards that are read together, and how far they have been read.
///
/// **Passes.** Ids are handed out before commit, so a lower id can appear after a higher one was read. A
/// pass reads by id from the floor to the end, page by page; the next pass begins at the floor again.
///
/// **The horizon.** Within one page the database shows one snapshot: if a key's second message is in it,
/// its first one is too. Two pages are two snapshots: a first message whose id lies in the first page's
/// range may become visible after that page was read, and its successor, written after it had committed,
/// would be met in the second page and go first. So a pass of several pages ends at the highest id that had been handed
/// out *before* its first page was read: the successor's id is above it, and is left to the next pass,
/// which begins below both. A pass whose first page turns out full without a horizon is abandoned there.
///
/// **Abandoned passes.** A pass may have begun below the floor, for the rows of a key that goes on. When it is
/// given up before its end, the next one begins where it began: the floor would pass over the rest of that key.
///
/// **Spans.** Rows that were deleted are walked over until they are vacuumed, and while somebody holds a snapshot open
/// they are not: a million of them take a fifth of a second. So a statement of a pass with a horizon looks through
/// a bounded span of ids, which adapts to how long that takes: leases are renewed in between, however long the walk.
/// For the same reason a long pass asks after the writers *before* it reads: when all that had taken ids
/// before the horizon have ended, the horizon is the next floor, and no second walk is needed to find that out.
#[derive(Debug)]
pub(super) struct Cohort {
    pub(super) shards: ShardSet,
    floor: i64,
    /// Where the current pass began.
    start: i64,
    /// The lowest start of the passes that were abandoned since one came to its end.
    again: Option<i64>,
    /// Everything of the current pass up to here was read.
    mark: i64,
    horizon: Option<i64>,
    span: i64,
    early_asks: u32,
    running: bool,
    pages: u32,
    /// The pass began at the very beginning, not at the floor.
    full: bool,
    /// The first pass, from 0, is still to be finished; then these shards join the others at this floor.
    joining: Option<i64>,
    finished_first: bool,
    /// The last pass had more than one page: the next asks for a horizon first.
    long: bool,
    gate: Option<Gate>,
    /// When this cohort wants its next pass.
    pub(super) next_at: Option<Instant>,
    last_full: Option<Instant>,
    full_took: Duration,
    pass_began: Instant,
    pub(super) found: bool,
    /// Nothing was left out when the pass began, so whatever it finds below the floor came late.
    pub(super) clean: bool,
}

/// What stands between the mark and its becoming the floor.
#[derive(Debug)]
struct Gate {
    mark: i64,
    state: GateState,
}

#[derive(Debug, PartialEq, Eq)]
enum GateState {
    /// Who was writing when the mark had been read is to be asked.
    Ask,
    /// These have not ended yet.
    Await(HashSet<String>),
    /// All have ended: one more pass from the old floor, begun after that, sees whatever they left.
    LastPass { begun: bool },
    /// A pass from the old floor that begins at this time or later sees whatever is still to appear below the mark.
    Age(Instant),
}

/// What a cohort needs next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// The highest id handed out, before the first page of a long pass.
    Horizon,
    /// Who is writing, before the first page of a long pass.
    Writers,
    /// The next page.
    Page,
}

impl Cohort {
    pub(super) fn new(shards: ShardSet, joining: Option<i64>) -> Self {
        Self {
            shards,
            floor: 0,
            start: 0,
            again: None,
            mark: 0,
            horizon: None,
            span: SPAN,
            early_asks: 0,
            running: false,
            pages: 0,
            full: true,
            joining,
            finished_first: false,
            // What waits is unknown, so the first pass is taken to be long.
            long: true,
            gate: None,
            next_at: None,
            last_full: None,
            full_took: Duration::ZERO,
            pass_began: Instant::now(),
            found: false,
            clean: false,
        }
    }

    pub(super) fn floor(&self) -> i64 {
        self.floor
    }

    pub(super) fn mark(&self) -> i64 {
        self.mark
    }

    /// The last id that the next page may reach; `None`: the end.
    pub(super) fn up_to(&self) -> Option<i64> {
        Some(self.horizon?.min(self.mark.saturating_add(self.span)))
    }

    pub(super) fn is_running(&self) -> bool {
        self.running
    }

    /// The last pass had more than one page.
    pub(super) fn is_long(&self) -> bool {
        self.long
    }

    pub(super) fn is_full_pass(&self) -> bool {
        self.full
    }

    /// The first pass is over: due rows may be taken, and rows below the floor are late finds.
    pub(super) fn is_caught_up(&self) -> bool {
        self.finished_first
    }

    pub(super) fn has_caught_up(&self) -> bool {
        self.joining.is_some() && self.finished_first
    }

    pub(super) fn lead(&mut self) {
        self.joining = None;
    }

    /// Takes another cohort's shards. They were read from 0 to the end while this cohort's floor was at
    /// least `joining`, and below that nothing can have appeared since; above it, the next pass looks.
    pub(super) fn join(&mut self, other: &Self) {
        self.shards = self.shards.union(other.shards);
        self.floor = self.floor.min(other.joining.unwrap_or(0));
        if self.running {
            self.abandon();
        }
        self.again = self.again.into_iter().chain(other.again).min();
        self.gate = None;
        self.long = true;
        self.next_at = None;
    }

    /// Begins a pass from the floor, or from `rewind` or the start of an abandoned pass when that is lower, or
    /// from 0 when a full pass is due. Returns where it begins.
    pub(super) fn begin(&mut self, now: Instant, rewind: Option<i64>, full_every: Duration) -> i64 {
        let full_due = !self.finished_first
            || self
                .last_full
                .is_none_or(|at| now.saturating_duration_since(at) >= full_every.max(self.full_took * 50));
        self.full = full_due;
        self.start = if full_due {
            0
        } else {
            let starts = [Some(self.floor), rewind, self.again].into_iter().flatten();
            starts.min().unwrap_or(0).max(0)
        };
        self.mark = self.start;
        self.running = true;
        self.pages = 0;
        self.horizon = None;
        self.early_asks = 0;
        self.span = SPAN;
        self.pass_began = now;
        self.found = false;
        self.set_last_pass(true);
        self.mark
    }

    pub(super) fn need(&self, rule: FloorRule) -> Need {
        if self.pages > 0 || rule == FloorRule::SingleWriter {
            return Need::Page;
        }
        match self.horizon {
            None if self.long || self.full => Need::Horizon,
            Some(_) if self.early_asks > 0 && self.wants_writers() => Need::Writers,
            _ => Need::Page,
        }
    }

    pub(super) fn set_horizon(&mut self, horizon: i64, rule: FloorRule) {
        self.horizon = Some(horizon);
        let asked = self
            .gate
            .as_ref()
            .is_some_and(|gate| gate.state != GateState::Ask);
        if rule == FloorRule::Writers && !asked {
            self.early_asks = if self.full { EARLY_ASKS } else { 1 };
            self.gate = Some(Gate {
                mark: horizon,
                state: GateState::Ask,
            });
        }
    }

    /// A page was read up to `scanned_to`, in `took`; `end`: nothing was left up to [`up_to`](Self::up_to).
    /// `found`: it held something new. Returns whether the pass is over.
    pub(super) fn page(
        &mut self,
        now: Instant,
        took: Duration,
        scanned_to: i64,
        end: bool,
        found: bool,
        rule: FloorRule,
    ) -> bool {
        self.pages += 1;
        self.found |= found;
        let (too_long, too_short) = SPAN_TOOK;
        let up_to = self.up_to();
        let pass_end = end && up_to == self.horizon;
        if took > too_long {
            self.span = (self.span / 2).max(SPAN_MIN);
        } else if end && !pass_end && took < too_short {
            self.span = self.span.saturating_mul(4);
        }
        let scanned_to = if end {
            up_to.unwrap_or(scanned_to)
        } else {
            scanned_to
        };
        self.mark = self.mark.max(scanned_to);
        let one_snapshot = self.pages == 1 && self.horizon.is_none() && rule != FloorRule::SingleWriter;
        self.long = !pass_end || self.pages > 1 || took > too_long;
        if pass_end {
            self.finish(now, rule);
        } else if one_snapshot {
            self.abandon();
        }
        !self.running
    }

    /// Whether a pass may be abandoned for a rewind.
    pub(super) fn may_abandon(&self) -> bool {
        self.running && self.finished_first && self.pages >= PAGES_BEFORE_REWIND
    }

    /// Ends the pass where it is. The next begins at once, and where this one began.
    pub(super) fn abandon(&mut self) {
        self.running = false;
        self.next_at = None;
        // No pass begins above where an abandoned one did.
        self.again = Some(self.start);
        self.set_last_pass(false);
    }

    /// Whether the pass that the floor waits for, if it waits for one, is under way.
    fn set_last_pass(&mut self, under_way: bool) {
        if let Some(Gate {
            state: GateState::LastPass { begun },
            ..
        }) = &mut self.gate
        {
            *begun = under_way;
        }
    }

    fn finish(&mut self, now: Instant, rule: FloorRule) {
        self.running = false;
        self.finished_first = true;
        self.again = None;
        if self.full {
            self.full_took = now.saturating_duration_since(self.pass_began);
            self.last_full = Some(now);
        }
        // Whatever this pass found: its end lies above every id that had been handed out when it began.
        if let Some(Gate {
            mark,
            state: GateState::LastPass { begun: true },
        }) = &self.gate
        {
            self.floor = self.floor.max(*mark);
            self.gate = None;
        }
        if rule == FloorRule::SingleWriter {
            self.floor = self.floor.max(self.mark);
        } else if self.mark > self.floor && self.gate.is_none() {
            let state = match rule {
                FloorRule::MaxTransactionAge(age) => GateState::Age(now + age),
                _ => GateState::Ask,
            };
            self.gate = Some(Gate {
                mark: self.mark,
                state,
            });
        }
        if let Some(Gate {
            mark,
            state: GateState::Age(at),
        }) = &self.gate
            // A row that became visible after a page of this pass was read, and before its time was up, is in none.
            && self.pass_began >= *at
        {
            self.floor = self.floor.max(*mark);
            self.gate = None;
        }
    }

    /// Whether the floor waits for news of the writers.
    pub(super) fn wants_writers(&self) -> bool {
        matches!(
            &self.gate,
            Some(Gate {
                state: GateState::Ask | GateState::Await(_),
                ..
            })
        )
    }

    /// The transactions that are writing now.
    pub(super) fn writers(&mut self, now: &HashSet<String>) {
        self.early_asks = self.early_asks.saturating_sub(1);
        // What this pass will read is what they left.
        let begun = self.running && self.pages == 0;
        let Some(gate) = &mut self.gate else { return };
        let left: HashSet<String> = match &gate.state {
            GateState::Ask => now.clone(),
            GateState::Await(before) => before.intersection(now).cloned().collect(),
            _ => return,
        };
        gate.state = if left.is_empty() {
            GateState::LastPass { begun }
        } else {
            GateState::Await(left)
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: Duration = Duration::from_secs(3600);
    const QUICK: Duration = Duration::from_millis(1);

    fn caught_up() -> (Cohort, Instant) {
        let now = Instant::now();
        let mut cohort = Cohort::new(ShardSet::ALL, None);
        assert_eq!(cohort.begin(now, None, FULL), 0);
        assert_eq!(cohort.need(FloorRule::Writers), Need::Horizon);
        cohort.set_horizon(100, FloorRule::Writers);
        assert!(cohort.page(now, QUICK, 100, true, true, FloorRule::Writers));
        (cohort, now)
    }

    #[test]
    fn the_floor_waits_for_the_writers_and_one_more_pass() {
        let (mut cohort, now) = caught_up();
        assert!(cohort.wants_writers());
        let names = |names: &[&str]| names.iter().map(|name| name.to_string()).collect::<HashSet<_>>();
        cohort.writers(&names(&["a", "b"]));
        cohort.begin(now, None, FULL);
        cohort.page(now, QUICK, 100, true, false, FloorRule::Writers);
        assert_eq!(cohort.floor(), 0, "a and b may still commit a lower id");
        // c began later: its ids are above the mark or it holds no lower one.
        cohort.writers(&names(&["b", "c"]));
        cohort.begin(now, None, FULL);
        cohort.set_horizon(100, FloorRule::Writers);
        cohort.page(now, QUICK, 50, false, false, FloorRule::Writers);
        cohort.writers(&names(&["c"]));
        cohort.page(now, QUICK, 100, true, false, FloorRule::Writers);
        assert_eq!(
            cohort.floor(),
            0,
            "a page of this pass was read before b was seen to have ended"
        );
        assert_eq!(cohort.begin(now, None, FULL), 0);
        // Everything was delivered meanwhile: there is nothing to be read.
        cohort.page(now, QUICK, 0, true, false, FloorRule::Writers);
        assert_eq!(cohort.floor(), 100);
        assert_eq!(cohort.begin(now, None, FULL), 100);
        assert_eq!(
            cohort.begin(now, Some(7), FULL),
            7,
            "a rewind goes below the floor"
        );
    }

    #[test]
    fn a_full_first_page_without_a_horizon_ends_the_pass() {
        let (mut cohort, now) = caught_up();
        cohort.begin(now, None, FULL);
        assert_eq!(
            cohort.need(FloorRule::Writers),
            Need::Page,
            "the last pass was short"
        );
        assert!(
            cohort.page(now, QUICK, 200, false, true, FloorRule::Writers),
            "one snapshot"
        );
        cohort.begin(now, None, FULL);
        assert_eq!(
            cohort.need(FloorRule::Writers),
            Need::Horizon,
            "there is a backlog"
        );
        cohort.set_horizon(900, FloorRule::Writers);
        assert!(!cohort.page(now, QUICK, 300, false, true, FloorRule::Writers));
        assert!(cohort.page(now, QUICK, 900, true, true, FloorRule::Writers));
    }

    #[test]
    fn a_long_pass_asks_after_the_writers_first_and_needs_no_second_one() {
        let now = Instant::now();
        let rule = FloorRule::Writers;
        let mut cohort = Cohort::new(ShardSet::ALL, None);
        cohort.begin(now, None, FULL);
        assert_eq!(cohort.need(rule), Need::Horizon);
        cohort.set_horizon(500, rule);
        assert_eq!(cohort.need(rule), Need::Writers);
        cohort.writers(&["a".to_owned()].into());
        assert_eq!(cohort.need(rule), Need::Writers, "a may end any moment");
        cohort.writers(&["b".to_owned()].into());
        assert_eq!(cohort.need(rule), Need::Page);
        assert!(cohort.page(now, QUICK, 40, true, true, rule));
        assert_eq!(cohort.floor(), 500);

        // One that does not end holds the pass up no longer than these questions, and the floor at 0.
        let mut cohort = Cohort::new(ShardSet::ALL, None);
        cohort.begin(now, None, FULL);
        cohort.set_horizon(500, rule);
        for _ in 0..EARLY_ASKS {
            assert_eq!(cohort.need(rule), Need::Writers);
            cohort.writers(&["a".to_owned()].into());
        }
        assert_eq!(cohort.need(rule), Need::Page);
        assert!(cohort.page(now, QUICK, 40, true, true, rule));
        assert_eq!(cohort.floor(), 0);
    }

    #[test]
    fn a_long_walk_is_cut_into_spans_that_adapt() {
        let now = Instant::now();
        let rule = FloorRule::Writers;
        let mut cohort = Cohort::new(ShardSet::ALL, None);
        cohort.begin(now, None, FULL);
        let horizon = 10_000_000_000;
        cohort.set_horizon(horizon, rule);
        let mut reached = Vec::new();
        for took in [
            QUICK,
            QUICK,
            Duration::from_millis(300),
            Duration::from_millis(50),
        ] {
            let up_to = cohort.up_to().unwrap();
            assert!(!cohort.page(now, took, cohort.mark(), true, false, rule));
            assert_eq!(cohort.mark(), up_to, "nothing is there, and it is passed over");
            reached.push(up_to);
        }
        assert_eq!(reached, [100_000, 500_000, 2_100_000, 2_900_000]);
        let mut statements = reached.len();
        while !cohort.page(now, QUICK, cohort.mark(), true, false, rule) {
            statements += 1;
        }
        assert!(
            statements < 20,
            "an empty span of any length is crossed quickly: {statements}"
        );
        assert_eq!(cohort.mark(), horizon);
        // The next pass is as careful as this one was.
        cohort.begin(now, Some(0), FULL);
        cohort.set_horizon(horizon, rule);
        assert_eq!(cohort.up_to(), Some(100_000));
    }

    #[test]
    fn a_walk_that_takes_long_makes_the_next_pass_ask_for_a_horizon() {
        let (mut cohort, now) = caught_up();
        cohort.begin(now, None, FULL);
        assert_eq!(cohort.need(FloorRule::Writers), Need::Page);
        assert_eq!(cohort.up_to(), None);
        assert!(cohort.page(now, Duration::from_secs(1), 100, true, false, FloorRule::Writers));
        cohort.begin(now, None, FULL);
        assert_eq!(cohort.need(FloorRule::Writers), Need::Horizon);
    }

    #[test]
    fn an_abandoned_pass_is_begun_again_where_it_began() {
        // A first page that turns out full; too long a pass when a rewind is asked for; shards that join.
        for abandon in [
            |cohort: &mut Cohort, now| {
                assert!(cohort.page(now, QUICK, 60, false, true, FloorRule::Writers));
            },
            |cohort: &mut Cohort, _| cohort.abandon(),
            |cohort: &mut Cohort, _| cohort.join(&Cohort::new(ShardSet::ALL, Some(100))),
        ] {
            let (mut cohort, now) = caught_up();
            cohort.floor = 100;
            assert_eq!(cohort.begin(now, Some(7), FULL), 7, "a key goes on there");
            abandon(&mut cohort, now);
            assert!(!cohort.is_running());
            assert_eq!(
                cohort.begin(now, Some(50), FULL),
                7,
                "and was not read to the end"
            );
            cohort.set_horizon(200, FloorRule::Writers);
            assert!(!cohort.page(now, QUICK, 60, false, true, FloorRule::Writers));
            assert!(cohort.page(now, QUICK, 200, true, true, FloorRule::Writers));
            assert_eq!(cohort.begin(now, None, FULL), 100, "now it was");
        }
    }

    #[test]
    fn where_age_is_the_rule_a_pass_that_began_too_early_does_not_raise_the_floor() {
        let rule = FloorRule::MaxTransactionAge(Duration::from_secs(60));
        let at = |seconds| Duration::from_secs(seconds);
        let now = Instant::now();
        let mut cohort = Cohort::new(ShardSet::ALL, None);
        cohort.begin(now, None, FULL);
        assert_eq!(cohort.need(rule), Need::Horizon);
        cohort.set_horizon(100, rule);
        assert_eq!(cohort.need(rule), Need::Page, "nobody is asked who is writing");
        assert!(cohort.page(now, QUICK, 100, true, true, rule));
        cohort.begin(now + at(59), None, FULL);
        assert!(cohort.page(now + at(61), QUICK, 100, true, false, rule));
        assert_eq!(
            cohort.floor(),
            0,
            "a transaction that began in time may have ended after the page was read"
        );
        cohort.begin(now + at(61), None, FULL);
        assert!(cohort.page(now + at(61), QUICK, 110, true, true, rule));
        assert_eq!(cohort.floor(), 100);
        assert_eq!(cohort.begin(now + at(62), None, FULL), 100);
    }

    #[test]
    fn with_a_single_writer_the_floor_is_what_was_read() {
        let now = Instant::now();
        let mut cohort = Cohort::new(ShardSet::ALL, None);
        cohort.begin(now, None, FULL);
        assert_eq!(cohort.need(FloorRule::SingleWriter), Need::Page);
        assert!(!cohort.page(now, QUICK, 50, false, true, FloorRule::SingleWriter));
        assert!(cohort.page(now, QUICK, 60, true, true, FloorRule::SingleWriter));
        assert_eq!(cohort.floor(), 60);
    }

    #[test]
    fn shards_that_join_pull_the_floor_back_to_where_it_was_when_they_came() {
        let (mut main, now) = caught_up();
        main.floor = 100;
        let mut late = Cohort::new(ShardSet::ALL, Some(main.floor()));
        main.floor = 500;
        late.begin(now, None, FULL);
        late.set_horizon(600, FloorRule::Writers);
        late.page(now, QUICK, 600, true, true, FloorRule::Writers);
        assert!(late.has_caught_up());
        main.join(&late);
        assert_eq!(main.begin(now, None, FULL), 100);
    }
}
