use async_trait::async_trait;
use uuid::Uuid;

/// What a payment provider does for us. Each call may be repeated with its key, and is then answered as it was the first
/// time, without moving money again: that is what providers call idempotency keys.
#[async_trait]
pub trait Gateway: Send + Sync + 'static {
    /// Captures an amount, in cents.
    ///
    /// # Errors
    /// It is not known whether it was captured. Ask again with the same key.
    async fn charge(&self, key: Uuid, amount: i64, payment_method: &str) -> Result<Charged, GatewayError>;

    /// Gives a part of what was captured back, in cents.
    ///
    /// # Errors
    /// It is not known whether it went back. Ask again with the same key.
    async fn refund(&self, key: Uuid, charge: Uuid, amount: i64) -> Result<(), GatewayError>;
}

/// What came of a charge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Charged {
    /// The amount is captured.
    Captured,
    /// It is not, and will not be under this key.
    Refused {
        /// Why, for the buyer.
        reason: String,
    },
}

/// Why there was no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GatewayError {
    /// It did what it was asked, or it did not.
    #[error("the payment provider did not answer")]
    NoAnswer,
    /// The provider's own trouble.
    #[error("the payment provider could not be reached")]
    Unreachable(#[from] sqlx::Error),
}
