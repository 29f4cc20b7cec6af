use async_trait::async_trait;
use uuid::Uuid;

use super::statements::Statements;
use super::{Charged, Gateway, GatewayError};
use crate::database::{Pools, ServiceDatabase};
use crate::faults::Faults;

/// Tokens of cards that are always refused begin like this.
const DECLINED: &str = "declined";

const CAPTURED: &str = "captured";

/// A payment provider that moves no money. It keeps books of its own, in a table that nobody else reads but the audit, and
/// commits by itself: as far as payment is concerned it is somewhere else.
#[derive(Debug)]
pub struct SandboxGateway<DB: ServiceDatabase> {
    pools: Pools<DB>,
    faults: Faults,
}

impl<DB: ServiceDatabase> SandboxGateway<DB> {
    /// A provider whose books are in this database.
    pub fn new(pools: Pools<DB>, faults: Faults) -> Self {
        Self { pools, faults }
    }

    /// Does it once under this key, and answers as it did then.
    async fn once(
        &self,
        key: Uuid,
        charge: Uuid,
        kind: &str,
        amount: i64,
        outcome: &str,
    ) -> Result<String, GatewayError> {
        let mut connection = self.pools.write.acquire().await?;
        Statements::insert_operation(&mut *connection, key, charge, kind, amount, outcome).await?;
        let (outcome,) = Statements::operation_outcome(&mut *connection, key).await?;
        drop(connection);
        if self.faults.is_answer_to_be_lost() {
            return Err(GatewayError::NoAnswer);
        }
        Ok(outcome)
    }
}

#[async_trait]
impl<DB: ServiceDatabase> Gateway for SandboxGateway<DB> {
    async fn charge(&self, key: Uuid, amount: i64, payment_method: &str) -> Result<Charged, GatewayError> {
        let refused = if payment_method.starts_with(DECLINED) {
            Some("the card was declined")
        } else if self.faults.is_charge_to_be_refused() {
            Some("the bank said no")
        } else {
            None
        };
        let outcome = self
            .once(key, key, "charge", amount, refused.unwrap_or(CAPTURED))
            .await?;
        Ok(if outcome == CAPTURED {
            Charged::Captured
        } else {
            Charged::Refused { reason: outcome }
        })
    }

    async fn refund(&self, key: Uuid, charge: Uuid, amount: i64) -> Result<(), GatewayError> {
        self.once(key, charge, "refund", amount, "refunded").await?;
        Ok(())
    }
}
