//! The first page: orders, stock, consumers, what is to go wrong, and what has.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::Site;
use super::answer::{self, Head, Htmx, new_key};
use super::shop::{ARTICLES, Article, BASKETS, Basket};
use super::words::{self, Chip, Part, money, short};
use crate::dead_letters::Letter;
use crate::faults::Planned;
use crate::groups::CONFIRMATIONS;
use crate::http::Problem;
use crate::ids::OrderId;
use crate::orders::Order;

/// How many orders are shown: each is read as a whole.
const SHOWN: u32 = 8;

#[derive(Template)]
#[template(path = "home.html")]
struct Page {
    head: Head,
    key: String,
    baskets: Vec<BasketView>,
    home: Home,
}

#[derive(Template)]
#[template(path = "home_part.html")]
struct HomePart {
    home: Home,
}

struct BasketView {
    id: &'static str,
    name: &'static str,
    contents: String,
    sum: String,
}

/// What changes.
struct Home {
    orders: Vec<OrderView>,
    stock: Vec<StockView>,
    is_nothing_in_stock: bool,
    letters: Vec<Letter>,
    playground: Option<PlaygroundView>,
    /// For those who hear the page.
    summary: String,
}

struct OrderView {
    id: OrderId,
    short: String,
    buyer: String,
    chip: Chip,
    amount: String,
    placed_amount: Option<String>,
    reason: Option<String>,
    parts: Vec<Part>,
}

struct StockView {
    merchant: &'static str,
    sku: &'static str,
    price: String,
    available: i64,
    reserved: i64,
    sold: i64,
}

struct PlaygroundView {
    planned: Planned,
    is_slow: bool,
    is_anything_planned: bool,
    consumers: Vec<ConsumerView>,
}

struct ConsumerView {
    group: &'static str,
    running: bool,
    /// So many of its next messages are to fail.
    failing: u32,
    /// Whether its messages may be made to fail.
    can_fail: bool,
}

/// `GET /`.
pub(super) async fn page(State(site): State<Site>, htmx: Htmx) -> Response {
    match Home::read(&site).await {
        Ok(home) => {
            let page = Page {
                head: Head::new("Orders"),
                key: new_key(),
                baskets: BASKETS.iter().map(BasketView::new).collect(),
                home,
            };
            answer::html(StatusCode::OK, &page)
        }
        Err(problem) => answer::refused(htmx, &problem),
    }
}

/// `GET /ui/home`: what changes of it.
pub(super) async fn part(State(site): State<Site>, htmx: Htmx) -> Response {
    match Home::read(&site).await {
        Ok(home) => answer::html(StatusCode::OK, &HomePart { home }),
        Err(problem) => answer::refused(htmx, &problem),
    }
}

impl Home {
    async fn read(site: &Site) -> Result<Self, Problem> {
        let mut orders = Vec::new();
        for summary in site.backend.orders.newest(SHOWN).await? {
            orders.extend(site.backend.orders.find(summary.id).await?.map(OrderView::new));
        }
        let mut stock = Vec::new();
        for article in ARTICLES {
            stock.push(StockView::read(site, article).await?);
        }
        let letters = site.backend.dead_letters.list().await?;
        let playground = match &site.playground {
            Some(playground) => {
                let consumers = playground.consumers.all().await;
                Some(PlaygroundView::new(playground.faults.planned(), consumers))
            }
            None => None,
        };
        Ok(Self {
            is_nothing_in_stock: stock.iter().all(|article| article.available == 0),
            summary: summary(&orders, &letters),
            orders,
            stock,
            letters,
            playground,
        })
    }
}

fn summary(orders: &[OrderView], letters: &[Letter]) -> String {
    let newest = orders.first().map(|order| {
        let OrderView {
            short, buyer, chip, ..
        } = order;
        format!("Newest order {short} of {buyer}: {}.", chip.word)
    });
    let dead = match letters.len() {
        0 => None,
        1 => Some("1 dead letter.".to_owned()),
        count => Some(format!("{count} dead letters.")),
    };
    [newest, dead].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

impl BasketView {
    fn new(basket: &'static Basket) -> Self {
        let line = |(article, quantity): (&Article, u32)| format!("{quantity} × {}", article.sku);
        let contents: Vec<_> = basket.articles().map(line).collect();
        let sum = |(article, quantity): (&Article, u32)| article.price * i64::from(quantity);
        Self {
            id: basket.id,
            name: basket.name,
            contents: contents.join(", "),
            sum: money(basket.articles().map(sum).sum()),
        }
    }
}

impl OrderView {
    fn new(order: Order) -> Self {
        Self {
            id: order.id,
            short: short(order.id),
            chip: words::of_order(order.state),
            amount: money(order.amount),
            placed_amount: (order.placed_amount != order.amount).then(|| money(order.placed_amount)),
            buyer: order.buyer,
            reason: order.reason,
            parts: order.sub_orders.into_iter().map(Part::new).collect(),
        }
    }
}

impl StockView {
    async fn read(site: &Site, Article { merchant, sku, price }: Article) -> Result<Self, Problem> {
        let item = site.backend.warehouse.find_stock(merchant, sku).await?;
        let (available, reserved, sold) =
            item.map_or((0, 0, 0), |item| (item.available, item.reserved, item.sold));
        Ok(Self {
            merchant,
            sku,
            price: money(price),
            available,
            reserved,
            sold,
        })
    }
}

impl PlaygroundView {
    fn new(planned: Planned, consumers: Vec<(&'static str, bool)>) -> Self {
        let consumer = |(group, running)| ConsumerView {
            group,
            running,
            failing: planned.fail.get(group).copied().unwrap_or_default(),
            can_fail: group != CONFIRMATIONS,
        };
        let consumers: Vec<_> = consumers.into_iter().map(consumer).collect();
        Self {
            is_slow: planned.slow.values().any(|millis| *millis > 0),
            is_anything_planned: planned.refuse_charges > 0
                || planned.lose_answers > 0
                || consumers.iter().any(|consumer| consumer.failing > 0),
            consumers,
            planned,
        }
    }
}
