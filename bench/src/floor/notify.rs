//! The floor of `latency`: NOTIFY inside the transaction, and a listener that does nothing but note the time.
//!
//! It is the fastest that Postgres itself can tell anybody, and what most peers do. The listener does not even read
//! the row: the notification carries the message's id.

use std::time::Duration;

use anyhow::{Context, Result};
use sqlx::postgres::{PgListener, PgPool};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::clock;
use crate::content::Content;
use crate::database::Engine;
use crate::floor::insert::{BareInsert, Step};

const CHANNEL: &str = "bench";
const NOTIFY: &str = include_str!("../../sql/postgres/notify.sql");

/// A transaction that writes an order and a bare message and notifies. Returns when its commit began and when that was
/// answered.
pub(crate) async fn write(
    pool: &PgPool,
    content: &Content,
    n: u64,
    id: Uuid,
) -> Result<(Duration, Duration)> {
    let mut tx = sqlx::Postgres::begin_by_hand(pool).await?;
    sqlx::Postgres::insert_order(&mut tx, content.key(n), 990).await?;
    sqlx::Postgres::insert_message(&mut tx, Step::Bare, content, n).await?;
    sqlx::query(NOTIFY)
        .bind(CHANNEL)
        .bind(id.to_string())
        .execute(&mut *tx)
        .await?;
    let begun = clock::now();
    tx.commit().await?;
    Ok((begun, clock::now()))
}

/// Notes when it heard of each message.
#[derive(Debug)]
pub(crate) struct Listener {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<Vec<(Uuid, Duration)>>>,
}

impl Listener {
    pub(crate) async fn start(pool: &PgPool) -> Result<Self> {
        let mut listener = PgListener::connect_with(pool).await.context("listening")?;
        listener.listen(CHANNEL).await.context("listening")?;
        let (stop, mut stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            let mut heard = Vec::new();
            loop {
                tokio::select! {
                    notification = listener.recv() => {
                        let at = clock::now();
                        heard.push((notification.context("listening")?.payload().parse()?, at));
                    }
                    _ = &mut stopped => return Ok(heard),
                }
            }
        });
        Ok(Self { stop, task })
    }

    /// What it heard.
    pub(crate) async fn stop(self) -> Result<Vec<(Uuid, Duration)>> {
        // A listener that has ended already says why below.
        let _ = self.stop.send(());
        self.task.await?
    }
}
