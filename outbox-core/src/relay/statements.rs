use std::collections::HashSet;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::store::{
    Awaiting, Failure, Fetch, Holds, LeaseGrant, LeaseRequest, Page, ParkedRow, RelayStore, ShardSet,
    StoreError,
};
use crate::shard::Shard;

/// One call of the store. The loop sends one, goes on with what publishes answer, and sends the next
/// when this one is done: a fetch never races a settlement.
#[derive(Debug)]
pub(super) enum Statement {
    Open,
    Lease(LeaseRequest),
    Leave,
    Fetch { cohort: usize, fetch: Fetch },
    Horizon { cohort: usize },
    Writers,
    Holds { shards: ShardSet, limit: usize },
    ClearRewinds(Vec<(Shard, i64)>),
    Delivered(Vec<i64>),
    Awaiting(Vec<Awaiting>),
    Failed(Vec<Failure>),
    MoveParked(Vec<ParkedRow>),
}

#[derive(Debug)]
pub(super) enum Answer {
    Done,
    Lease(LeaseGrant),
    Page(Page),
    Horizon(i64),
    Writers(HashSet<String>),
    Holds(Holds),
    Touched(HashSet<i64>),
}

/// A statement with its answer.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) statement: Statement,
    pub(super) sent: Instant,
    pub(super) took: Duration,
    pub(super) result: Result<Answer, StoreError>,
}

/// Runs the store in a task of its own, so that decoding a page and deciding about the one before can
/// use two cores, and so that no statement is ever dropped half-way.
pub(super) async fn run_statements(
    mut store: Box<dyn RelayStore>,
    relay: String,
    archive: bool,
    mut statements: mpsc::Receiver<Statement>,
    answers: mpsc::Sender<Answered>,
) {
    while let Some(statement) = statements.recv().await {
        let sent = Instant::now();
        let result = match &statement {
            Statement::Open => store.open().await.map(|()| Answer::Done),
            Statement::Lease(request) => store.lease(request).await.map(Answer::Lease),
            Statement::Leave => store.leave(&relay).await.map(|()| Answer::Done),
            Statement::Fetch { fetch, .. } => store.fetch(fetch).await.map(Answer::Page),
            Statement::Horizon { .. } => store.horizon().await.map(Answer::Horizon),
            Statement::Writers => store.writers().await.map(Answer::Writers),
            Statement::Holds { shards, limit } => {
                store.holds(&relay, *shards, *limit).await.map(Answer::Holds)
            }
            Statement::ClearRewinds(rewinds) => {
                store.clear_rewinds(&relay, rewinds).await.map(|()| Answer::Done)
            }
            Statement::Delivered(ids) => store.delivered(ids, archive).await.map(|()| Answer::Done),
            Statement::Awaiting(rows) => store.awaiting(rows, archive).await.map(|()| Answer::Done),
            Statement::Failed(failures) => store.failed(&relay, failures).await.map(Answer::Touched),
            Statement::MoveParked(rows) => store.move_parked(&relay, rows).await.map(Answer::Touched),
        };
        if answers
            .send(Answered {
                statement,
                sent,
                took: sent.elapsed(),
                result,
            })
            .await
            .is_err()
        {
            return;
        }
    }
}
