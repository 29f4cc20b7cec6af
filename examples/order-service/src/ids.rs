//! Types for ids, so that the compiler keeps an order and a sub-order apart.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new one: a UUIDv7, which sorts by time and so is kind to the primary key's index.
            #[allow(clippy::new_without_default, reason = "a default that differs each time is none")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id! {
    /// A main order: what one buyer asked for, and will pay, at once.
    OrderId
}

id! {
    /// The part of a main order that one merchant serves.
    SubOrderId
}

id! {
    /// One try to pay for an order; also the payment provider's idempotency key.
    PaymentId
}

id! {
    /// One refund; also the payment provider's idempotency key.
    RefundId
}
