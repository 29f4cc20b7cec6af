//! A relay's own connection, for databases in which a session is one: Postgres and MySQL.

use std::time::Duration;

use outbox_core::relay::StoreError;
use sqlx::{Connection, Database, Pool};

use super::error::Trouble;

/// Where to connect to.
pub(super) enum Target<DB: Database> {
    /// As this pool does at the moment, so that a rotated password is known here as well.
    LikePool(Pool<DB>),
    /// With these options.
    Options(Box<<DB::Connection as Connection>::Options>),
}

impl<DB: Database> Target<DB> {
    pub(super) fn options(&self) -> <DB::Connection as Connection>::Options {
        match self {
            Self::LikePool(pool) => pool.connect_options().as_ref().clone(),
            Self::Options(options) => options.as_ref().clone(),
        }
    }
}

/// The connection, and where it leads to.
pub(super) struct Own<DB: Database> {
    pub(super) target: Target<DB>,
    /// `None` before `open` and after an error.
    connection: Option<DB::Connection>,
}

impl<DB: Database> Own<DB> {
    pub(super) fn new(target: Target<DB>) -> Self {
        Self {
            target,
            connection: None,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.connection.is_some()
    }

    /// The connection, taken out: it comes back by [`Self::keep`] when a call went well, and is closed when
    /// one did not, or was dropped half-way.
    pub(super) fn take(&mut self) -> Result<DB::Connection, StoreError> {
        self.connection.take().ok_or_else(|| Trouble::NotOpen.into())
    }

    pub(super) fn keep<T>(
        &mut self,
        connection: DB::Connection,
        answer: Result<T, Trouble>,
    ) -> Result<T, StoreError> {
        let answer = answer?;
        self.connection = Some(connection);
        Ok(answer)
    }

    /// A new connection in place of the one there was.
    pub(super) fn put(&mut self, opened: Result<DB::Connection, Trouble>) -> Result<(), StoreError> {
        self.connection = Some(opened?);
        Ok(())
    }

    pub(super) fn close(&mut self) {
        self.connection = None;
    }
}

/// Ends a call whose answer doesn't come.
pub(super) async fn bounded<T>(
    limit: Duration,
    call: impl Future<Output = Result<T, Trouble>>,
) -> Result<T, Trouble> {
    tokio::time::timeout(limit, call)
        .await
        .unwrap_or(Err(Trouble::TimedOut(limit)))
}

/// The trait for a store that has the fields `own` and `typical`, from the functions of its modules `session`, `fetch`,
/// `settle` and `lease`: each call takes the connection, is bounded in time, and gives the connection back.
macro_rules! own_relay_store {
    ($store:ty, $name:literal, |$this:ident| $rule:expr) => {
        #[async_trait::async_trait]
        impl outbox_core::relay::RelayStore for $store {
            fn name(&self) -> &'static str {
                $name
            }

            fn floor_rule(&self) -> outbox_core::relay::FloorRule {
                let $this = self;
                $rule
            }

            async fn open(&mut self) -> Result<(), outbox_core::relay::StoreError> {
                self.own.close();
                let options = self.own.target.options();
                let opened = $crate::relay::own::bounded(Self::CONNECT_TIMEOUT, session::open(options)).await;
                self.own.put(opened)
            }

            async fn lease(
                &mut self,
                request: &outbox_core::relay::LeaseRequest,
            ) -> Result<outbox_core::relay::LeaseGrant, outbox_core::relay::StoreError> {
                $crate::relay::own::call!(self, connection => lease::lease(connection, request))
            }

            async fn leave(&mut self, relay: &str) -> Result<(), outbox_core::relay::StoreError> {
                $crate::relay::own::call!(self, connection => lease::leave(connection, relay))
            }

            async fn fetch(
                &mut self,
                fetch: &outbox_core::relay::Fetch,
            ) -> Result<outbox_core::relay::Page, outbox_core::relay::StoreError> {
                $crate::relay::own::call!(self, connection => fetch::fetch(connection, fetch, &mut self.typical))
            }

            async fn horizon(&mut self) -> Result<i64, outbox_core::relay::StoreError> {
                $crate::relay::own::call!(self, connection => fetch::horizon(connection))
            }

            async fn writers(
                &mut self,
            ) -> Result<std::collections::HashSet<String>, outbox_core::relay::StoreError> {
                $crate::relay::own::call!(self, connection => fetch::writers(connection))
            }

            async fn holds(
                &mut self,
                relay: &str,
                shards: outbox_core::relay::ShardSet,
                limit: usize,
            ) -> Result<outbox_core::relay::Holds, outbox_core::relay::StoreError> {
                $crate::relay::own::call!(self, connection => lease::holds(connection, relay, shards, limit))
            }

            async fn clear_rewinds(
                &mut self,
                relay: &str,
                rewinds: &[(outbox_core::Shard, i64)],
            ) -> Result<(), outbox_core::relay::StoreError> {
                $crate::relay::own::call!(self, connection => lease::clear_rewinds(connection, relay, rewinds))
            }

            async fn delivered(
                &mut self,
                ids: &[i64],
                archive: bool,
            ) -> Result<(), outbox_core::relay::StoreError> {
                $crate::relay::own::call!(self, connection => settle::delivered(connection, ids, archive))
            }

            async fn awaiting(
                &mut self,
                rows: &[outbox_core::relay::Awaiting],
                archive: bool,
            ) -> Result<(), outbox_core::relay::StoreError> {
                $crate::relay::own::call!(self, connection => settle::awaiting(connection, rows, archive))
            }

            async fn failed(
                &mut self,
                relay: &str,
                failures: &[outbox_core::relay::Failure],
            ) -> Result<std::collections::HashSet<i64>, outbox_core::relay::StoreError> {
                $crate::relay::own::call!(self, connection => settle::failed(connection, relay, failures))
            }

            async fn move_parked(
                &mut self,
                relay: &str,
                rows: &[outbox_core::relay::ParkedRow],
            ) -> Result<std::collections::HashSet<i64>, outbox_core::relay::StoreError> {
                $crate::relay::own::call!(self, connection => settle::move_parked(connection, relay, rows))
            }
        }

        /// Connect options may hold a password.
        impl std::fmt::Debug for $store {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($store))
                    .field("open", &self.own.is_open())
                    .finish_non_exhaustive()
            }
        }
    };
}
pub(super) use own_relay_store;

macro_rules! call {
    ($store:ident, $connection:ident => $call:expr) => {{
        let mut own = $store.own.take()?;
        let $connection = &mut own;
        let answer = $crate::relay::own::bounded(Self::CALL_TIMEOUT, $call).await;
        $store.own.keep(own, answer)
    }};
}
pub(super) use call;
