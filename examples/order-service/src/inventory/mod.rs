//! Inventory: what each merchant has, and what of it is set aside for whom.
//!
//! In reading order: what is asked of the database ([`InventoryStore`]) and how it is done; the doors to
//! the outside, which are the requests of orders ([`hear_requests`]) and HTTP ([`routes`]).

mod consumer;
mod http;
mod store;

pub use consumer::{GROUP, hear_requests};
pub use http::routes;
pub use store::{InventoryStore, SqlInventory, StockItem};
