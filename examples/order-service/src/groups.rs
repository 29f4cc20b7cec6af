//! The consumer groups: who hears messages, and confirms them.

/// Orders, which hears the answers of all others.
pub const ORDERS: &str = "orders";
/// Inventory.
pub const INVENTORY: &str = "inventory";
/// Payment.
pub const PAYMENT: &str = "payment";
/// Shipping.
pub const SHIPPING: &str = "shipping";
/// Loyalty points: a group that came later, of which no sender knows.
pub const LOYALTY: &str = "loyalty";
/// Not a module: it records who has confirmed what.
pub const CONFIRMATIONS: &str = "confirmations";

/// The topic for the confirmations of this service's messages.
pub const CONFIRM_TO: &str = "order-service.confirmations";
