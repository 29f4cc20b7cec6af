use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Statements;
use crate::database::{Pools, ServiceDatabase};
use crate::store_error::StoreError;

/// A buyer's points.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Account {
    /// Whose.
    pub buyer: String,
    /// One for each full unit of money that was paid for orders that were completed.
    pub points: i64,
}

/// What can be asked of the accounts in a database.
#[async_trait]
pub trait Accounts: Send + Sync + 'static {
    /// A buyer's account; without any points, where nothing is known of him.
    async fn find(&self, buyer: &str) -> Result<Account, StoreError>;
}

#[async_trait]
impl<DB: ServiceDatabase> Accounts for Pools<DB> {
    async fn find(&self, buyer: &str) -> Result<Account, StoreError> {
        let mut connection = self.read.acquire().await?;
        let row = Statements::find_points(&mut *connection, buyer).await?;
        Ok(Account {
            buyer: buyer.to_owned(),
            points: row.map_or(0, |(points,)| points),
        })
    }
}
