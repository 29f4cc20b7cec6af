//! Orders: a main order of one buyer, split into a sub-order per merchant.
//!
//! In reading order: what an order is ([`Order`]) and what a buyer may send ([`PlaceOrder`]); what is asked of the
//! database ([`OrderStore`]) and how it is done; the doors to the outside, which are HTTP ([`routes`])
//! and the answers of inventory ([`hear_answers`]); and what a restart has to make up for ([`ask_again`]).

mod consumer;
mod http;
mod model;
mod place_order;
mod recovery;
mod store;

pub use consumer::{GROUP, hear_answers};
pub use http::routes;
pub use model::{Line, Order, OrderState, OrderSummary, SubOrder, SubOrderState};
pub use place_order::{Item, PlaceOrder};
pub use recovery::ask_again;
pub use store::{Answer, Asked, OrderStore, SqlOrders};
