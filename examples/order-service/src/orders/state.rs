//! The states, and the diagrams that say how they change.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::store_error::StoreError;

/// A main order's state is left only by the edges of this diagram:
///
/// ```text
/// pending ──all answered, and what is reserved is wanted──► awaiting_payment ──pay──► paying ──captured──► paid ──the last part delivered──► completed
///    │                                                        │  ▲                      │
///    │ nothing can be had, or not all of it                   │  └──────refused─────────┤
///    │ where all or nothing was asked for                     │ unpaid in time          │ refused, and time is up
///    └────────────────────────────────► cancelled ◄───────────┴─────────────────────────┘
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OrderState {
    /// Not all sub-orders are answered by inventory.
    Pending,
    /// Stock is set aside. It is closed unless it is paid in time.
    AwaitingPayment,
    /// Payment was asked to capture the amount, and has not answered. The order can't be closed meanwhile.
    Paying,
    /// The amount is captured; its sub-orders are being shipped.
    Paid,
    /// All its sub-orders are delivered.
    Completed,
    /// It was closed, and nothing is set aside or captured.
    Cancelled,
}

/// ```text
/// pending ──reserved──► reserved ──captured──► paid ──► shipped ──► delivered
///    └──────refused───► refused    └──the order was cancelled──► released
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SubOrderState {
    /// Inventory has not answered.
    Pending,
    /// Its stock is set aside.
    Reserved,
    /// The merchant is short of something.
    Refused,
    /// Its stock was set aside, and is not any more.
    Released,
    /// It is to be shipped.
    Paid,
    /// The carrier has it.
    Shipped,
    /// The buyer has it.
    Delivered,
}

/// States as they are stored.
macro_rules! stored {
    ($state:ident, $column:literal, $($name:literal $variant:ident),*) => {
        impl $state {
            /// As it is stored, and shown.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            pub(super) fn from_stored(value: &str) -> Result<Self, StoreError> {
                match value {
                    $($name => Ok(Self::$variant),)*
                    _ => Err(StoreError::Unknown { column: $column, value: value.to_owned() }),
                }
            }
        }
    };
}

stored!(OrderState, "main_order.state",
    "pending" Pending, "awaiting_payment" AwaitingPayment, "paying" Paying, "paid" Paid,
    "completed" Completed, "cancelled" Cancelled);
stored!(SubOrderState, "sub_order.state",
    "pending" Pending, "reserved" Reserved, "refused" Refused, "released" Released, "paid" Paid,
    "shipped" Shipped, "delivered" Delivered);
