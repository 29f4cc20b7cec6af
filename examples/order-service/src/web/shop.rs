//! What there is to buy on the page. The service itself knows no articles but by their names.

use crate::orders::Item;

/// How many of each article there are once the shelves are stocked.
pub(super) const FULL: i64 = 20;

/// An article of one of the merchants.
pub(super) struct Article {
    pub(super) merchant: &'static str,
    pub(super) sku: &'static str,
    /// The price of one, in cents.
    pub(super) price: i64,
}

const fn article(merchant: &'static str, sku: &'static str, price: i64) -> Article {
    Article { merchant, sku, price }
}

/// All articles.
pub(super) const ARTICLES: [Article; 5] = [
    article("roastery", "espresso", 1_290),
    article("roastery", "filter-coffee", 890),
    article("pottery", "mug", 1_450),
    article("pottery", "bowl", 1_890),
    article("bookshop", "slow-mornings", 1_590),
];

/// Articles that are ordered together.
pub(super) struct Basket {
    pub(super) id: &'static str,
    pub(super) name: &'static str,
    /// Places in [`ARTICLES`], and how many.
    contents: &'static [(usize, u32)],
}

/// All baskets, the first of which is chosen unless another is.
pub(super) const BASKETS: [Basket; 3] = [
    Basket {
        id: "morning",
        name: "A slow morning",
        contents: &[(0, 1), (2, 2), (4, 1)],
    },
    Basket {
        id: "table",
        name: "A set table",
        contents: &[(1, 2), (3, 4)],
    },
    Basket {
        id: "book",
        name: "Only the book",
        contents: &[(4, 1)],
    },
];

impl Basket {
    /// The one with this id.
    pub(super) fn find(id: &str) -> Option<&'static Self> {
        BASKETS.iter().find(|basket| basket.id == id)
    }

    /// Its articles, and how many of each.
    pub(super) fn articles(&self) -> impl Iterator<Item = (&'static Article, u32)> {
        self.contents
            .iter()
            .filter_map(|(place, quantity)| Some((ARTICLES.get(*place)?, *quantity)))
    }

    /// As an order has it.
    pub(super) fn items(&self) -> Vec<Item> {
        let item = |(article, quantity): (&Article, u32)| Item {
            merchant: article.merchant.to_owned(),
            sku: article.sku.to_owned(),
            quantity,
            unit_price: article.price,
        };
        self.articles().map(item).collect()
    }
}
