//! Confirmation: a consumer's word back to the sender that a message was handled.
//!
//! In reading order: what a message asks for ([`Confirm`]), the word itself ([`Confirmation`], [`confirmation_of`]), and a
//! handler that gives it ([`Confirming`]).
//!
//! A message asks in its headers, so programs in any language can ask and answer:
//!
//! | header | what it says |
//! |---|---|
//! | `confirm-to` | the topic for the confirmations; the sender consumes it |
//! | `confirm-by` | the consumer groups that are asked, divided by commas, at most [`Confirm::GROUPS_MAX`] |
//! | `confirm-within-ms` | milliseconds from each delivery to its deadline |
//! | `confirm-at-least` | how many of the groups are enough; absent: all |
//! | `confirm-resends` | how often it is sent again when they are not; absent: [`Confirm::RESENDS`] |
//!
//! The sender adds `confirm-resent` (how often it was sent again) and `confirm-since` (microseconds since 1970 of the first
//! delivery) when it sends a message again; nobody else writes these two.
//!
//! A confirmation is a message of the topic `confirm-to`, with the confirmed message's id as its key, and a JSON object
//! as its payload: `message_id` (the UUID as text), `group`, and `handled_at` (microseconds since 1970). It never asks to
//! be confirmed itself.
//!
//! ```
//! use std::time::Duration;
//! use outbox_core::Message;
//! use outbox_core::confirmation::{Confirm, Confirmation, confirmation_of};
//!
//! let minute = Duration::from_secs(60);
//! let order = Message::builder("orders.placed")
//!     .key("order-7")
//!     .confirm_by(Confirm::by(["shipping", "billing"], minute).to("orders.confirmed"))?
//!     .build()?;
//!
//! // At the consumer: what says that the group shipping has handled it.
//! let word = confirmation_of(&order, "shipping").ok_or("shipping is asked")?;
//! assert_eq!(word.topic(), "orders.confirmed");
//! assert_eq!(confirmation_of(&order, "marketing"), None, "nobody asks marketing");
//!
//! // Back at the sender.
//! assert_eq!(Confirmation::decode(&word)?.message_id, order.id());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod ask;
mod confirming;
mod word;

pub use ask::{Confirm, ConfirmBy, ConfirmError};
pub use confirming::Confirming;
pub use word::{Confirmation, ConfirmationError, confirmation_of};
