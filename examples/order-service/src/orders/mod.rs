//! Orders: a main order of one buyer, split into a sub-order per merchant.
//!
//! In reading order: what an order is ([`Order`]), the states it goes through ([`OrderState`]) and what moves it from one to
//! the next ([`Refusal`] and the methods beside it, in `transitions`): no database in any of these. Then how it is kept
//! (`store`, `statements`); and what can happen to it: requests ([`OrderDesk`], [`routes`]), messages ([`module`]) and the
//! passing of time ([`OrderDesk::close_overdue`]).

mod changes;
mod desk;
mod http;
mod listener;
mod model;
mod place_order;
mod state;
mod statements;
mod store;
mod transitions;

pub use desk::{OrderDesk, SqlOrderDesk};
pub use http::{Routes, routes};
pub use listener::module;
pub use model::{Line, Order, OrderSummary, SubOrder};
pub use place_order::{Item, Pay, PlaceOrder, RequestRefund};
pub use state::{OrderState, SubOrderState};
pub use statements::Statements;
pub use transitions::Refusal;
