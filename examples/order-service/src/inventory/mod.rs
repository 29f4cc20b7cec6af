//! Inventory: what each merchant has, and what of it is set aside for whom. All it knows of orders came in messages.
//!
//! In reading order: what a stock item is and how it changes ([`StockItem`]); how it is kept ([`Statements`]); what is done
//! when something is heard ([`module`]); and where merchants say what they have ([`Warehouse`], [`routes`]).

mod http;
mod listener;
mod shelf;
mod statements;
mod stock;
mod warehouse;

pub use http::{Routes, routes};
pub use listener::module;
pub use statements::Statements;
pub use stock::StockItem;
pub use warehouse::Warehouse;
