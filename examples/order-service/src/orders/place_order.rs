//! What a buyer sends, and what is wrong with it.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::FieldError;

/// The body of `POST /orders`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlaceOrder {
    /// Who buys.
    pub buyer: String,
    /// What, of one or several merchants.
    pub items: Vec<Item>,
    /// Whether he wants nothing unless he can have all of it.
    #[serde(default)]
    pub all_or_nothing: bool,
    /// What it is paid with as soon as its stock is set aside: a token of the payment provider. Without one the order waits
    /// to be paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_method: Option<String>,
}

/// The body of `POST /orders/{id}/payment`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Pay {
    /// What it is paid with: a token of the payment provider.
    pub payment_method: String,
}

impl Pay {
    /// Everything that is wrong with it.
    pub fn errors(&self) -> Vec<FieldError> {
        let mut errors = Vec::new();
        check_name(&mut errors, "/payment_method".to_owned(), &self.payment_method);
        errors
    }
}

/// The body of `POST /orders/{id}/sub-orders/{sub_order_id}/refunds`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestRefund {
    /// How much is to go back, in cents.
    pub amount: i64,
}

impl RequestRefund {
    /// Everything that is wrong with it.
    pub fn errors(&self) -> Vec<FieldError> {
        if self.amount > 0 {
            return Vec::new();
        }
        let detail = format!("is {}, must be 1 or more cents", self.amount);
        vec![FieldError::new("/amount", detail)]
    }
}

/// One item of a [`PlaceOrder`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// Whose article.
    pub merchant: String,
    /// The merchant's name for the article.
    pub sku: String,
    /// How many.
    pub quantity: u32,
    /// The price of one, in cents.
    pub unit_price: i64,
}

impl PlaceOrder {
    /// Most items of one order.
    pub const ITEMS_MAX: usize = 100;
    /// Most merchants of one order.
    pub const MERCHANTS_MAX: usize = 20;
    /// Most of one article.
    pub const QUANTITY_MAX: u32 = 1_000;
    /// The highest price of one article: a million, in cents. With the limits above no sum can overflow.
    pub const UNIT_PRICE_MAX: i64 = 100_000_000;
    /// Most bytes of a buyer, a merchant and an article's name.
    pub const NAME_MAX: usize = 100;

    /// Everything that is wrong with it, each with the field's place in the body.
    ///
    /// An article that does not exist is not among it: only inventory knows articles. Its sub-order is refused, with
    /// that reason.
    pub fn errors(&self) -> Vec<FieldError> {
        let mut errors = Vec::new();
        check_name(&mut errors, "/buyer".to_owned(), &self.buyer);
        if let Some(method) = &self.payment_method {
            check_name(&mut errors, "/payment_method".to_owned(), method);
        }
        if self.items.is_empty() {
            errors.push(FieldError::new("/items", "must have at least one item"));
        }
        if self.items.len() > Self::ITEMS_MAX {
            let detail = format!(
                "has {} items, at most {} are allowed",
                self.items.len(),
                Self::ITEMS_MAX
            );
            errors.push(FieldError::new("/items", detail));
        }
        let merchants: HashSet<_> = self.items.iter().map(|item| &item.merchant).collect();
        if merchants.len() > Self::MERCHANTS_MAX {
            let detail = format!(
                "names {} merchants, at most {} are allowed",
                merchants.len(),
                Self::MERCHANTS_MAX
            );
            errors.push(FieldError::new("/items", detail));
        }
        for (index, item) in self.items.iter().take(Self::ITEMS_MAX).enumerate() {
            item.check(&mut errors, index);
        }
        errors
    }
}

impl Item {
    fn check(&self, errors: &mut Vec<FieldError>, index: usize) {
        let place = |field: &str| format!("/items/{index}/{field}");
        check_name(errors, place("merchant"), &self.merchant);
        check_name(errors, place("sku"), &self.sku);
        if !(1..=PlaceOrder::QUANTITY_MAX).contains(&self.quantity) {
            let detail = format!("is {}, must be 1 to {}", self.quantity, PlaceOrder::QUANTITY_MAX);
            errors.push(FieldError::new(place("quantity"), detail));
        }
        if !(0..=PlaceOrder::UNIT_PRICE_MAX).contains(&self.unit_price) {
            let detail = format!(
                "is {}, must be 0 to {} cents",
                self.unit_price,
                PlaceOrder::UNIT_PRICE_MAX
            );
            errors.push(FieldError::new(place("unit_price"), detail));
        }
    }
}

/// A name is short and without control characters (Postgres can't even store a NUL).
fn check_name(errors: &mut Vec<FieldError>, place: String, name: &str) {
    if name.trim().is_empty() {
        errors.push(FieldError::new(place, "must not be empty"));
    } else if name.len() > PlaceOrder::NAME_MAX {
        let detail = format!(
            "has {} bytes, at most {} are allowed",
            name.len(),
            PlaceOrder::NAME_MAX
        );
        errors.push(FieldError::new(place, detail));
    } else if name.chars().any(char::is_control) {
        errors.push(FieldError::new(place, "must not hold control characters"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(items: Vec<Item>) -> PlaceOrder {
        PlaceOrder {
            buyer: "ann".to_owned(),
            items,
            all_or_nothing: false,
            payment_method: None,
        }
    }

    fn item() -> Item {
        Item {
            merchant: "m".to_owned(),
            sku: "s".to_owned(),
            quantity: 1,
            unit_price: 0,
        }
    }

    fn places(order: &PlaceOrder) -> Vec<String> {
        order.errors().into_iter().map(|error| error.pointer).collect()
    }

    #[test]
    fn a_sound_order_has_no_errors() {
        assert!(order(vec![item()]).errors().is_empty());
    }

    #[test]
    fn each_error_names_its_place() {
        let bad = |change: fn(&mut Item)| {
            let mut item = item();
            change(&mut item);
            item
        };
        assert_eq!(places(&order(vec![])), ["/items"]);
        assert_eq!(
            places(&order(vec![item(), bad(|i| i.quantity = 0)])),
            ["/items/1/quantity"]
        );
        assert_eq!(
            places(&order(vec![bad(|i| i.quantity = 1_001)])),
            ["/items/0/quantity"]
        );
        assert_eq!(
            places(&order(vec![bad(|i| i.unit_price = -1)])),
            ["/items/0/unit_price"]
        );
        assert_eq!(
            places(&order(vec![bad(|i| i.sku = "\0".into())])),
            ["/items/0/sku"]
        );
        assert_eq!(
            places(&order(vec![bad(|i| i.merchant = "m".repeat(101))])),
            ["/items/0/merchant"]
        );
        assert_eq!(places(&order(vec![item(); 101])), ["/items"]);
        let many = |n: usize| Item {
            merchant: format!("m{n}"),
            ..item()
        };
        assert_eq!(places(&order((0..21).map(many).collect())), ["/items"]);
    }

    #[test]
    fn no_sum_can_overflow() {
        let most = i64::from(PlaceOrder::QUANTITY_MAX) * PlaceOrder::UNIT_PRICE_MAX;
        assert!(most.checked_mul(PlaceOrder::ITEMS_MAX as i64).is_some());
    }
}
