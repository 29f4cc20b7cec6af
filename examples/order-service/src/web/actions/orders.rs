//! Forms about orders. Each becomes the request that a program would send to the API, with its idempotency key, and comes in
//! by the same door.

use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::{Request, StatusCode, header};
use axum::response::Response;
use idempotency::http::IDEMPOTENCY_KEY;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::http::{BODY_BYTES_MAX, FieldError, PathParams, Problem};
use crate::ids::{OrderId, SubOrderId};
use crate::orders::{Order, Pay, PlaceOrder, RequestRefund};
use crate::web::Site;
use crate::web::answer::{self, Done, Htmx};
use crate::web::form::Form;
use crate::web::shop::Basket;
use crate::web::words::money;

/// Most bytes of an answer that is read here: an order has about as many as the request for it, and some for its states.
const ANSWER_BYTES_MAX: usize = 8 * BODY_BYTES_MAX;

#[derive(Deserialize)]
pub(in crate::web) struct PlaceForm {
    key: String,
    buyer: String,
    basket: String,
    /// A token of the payment provider, or nothing.
    #[serde(default)]
    payment_method: String,
    /// There if it is checked.
    all_or_nothing: Option<String>,
}

/// Places an order.
pub(in crate::web) async fn place(
    State(site): State<Site>,
    htmx: Htmx,
    Form(form): Form<PlaceForm>,
) -> Response {
    answer::form(htmx, placed(&site, form).await)
}

async fn placed(site: &Site, form: PlaceForm) -> Result<Done, Problem> {
    let Some(basket) = Basket::find(&form.basket) else {
        return Err(Problem::invalid(vec![FieldError::new(
            "/basket",
            "is not one of the baskets",
        )]));
    };
    let order = PlaceOrder {
        buyer: form.buyer,
        items: basket.items(),
        all_or_nothing: form.all_or_nothing.is_some(),
        payment_method: Some(form.payment_method).filter(|method| !method.is_empty()),
    };
    let order = read(site.backend.orders.place(request(&form.key, &order)?).await).await?;
    Ok(Done::placed(order.id))
}

#[derive(Deserialize)]
pub(in crate::web) struct PayForm {
    key: String,
    payment_method: String,
}

/// Pays an order.
pub(in crate::web) async fn pay(
    State(site): State<Site>,
    PathParams(id): PathParams<OrderId>,
    htmx: Htmx,
    Form(form): Form<PayForm>,
) -> Response {
    answer::form(htmx, paid(&site, id, form).await)
}

async fn paid(site: &Site, id: OrderId, form: PayForm) -> Result<Done, Problem> {
    let payment = Pay {
        payment_method: form.payment_method,
    };
    read(site.backend.orders.pay(id, request(&form.key, &payment)?).await).await?;
    Ok(Done::at(id, "Payment was asked to capture the amount."))
}

#[derive(Deserialize)]
pub(in crate::web) struct RefundForm {
    key: String,
    /// As people write it: `12.50`.
    amount: String,
}

/// Gives money back.
pub(in crate::web) async fn refund(
    State(site): State<Site>,
    PathParams((id, part)): PathParams<(OrderId, SubOrderId)>,
    htmx: Htmx,
    Form(form): Form<RefundForm>,
) -> Response {
    answer::form(htmx, refunded(&site, id, part, form).await)
}

async fn refunded(site: &Site, id: OrderId, part: SubOrderId, form: RefundForm) -> Result<Done, Problem> {
    let Some(amount) = cents(&form.amount) else {
        let detail = format!("{:?} is not an amount such as 12.50.", form.amount);
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail));
    };
    let refund = RequestRefund { amount };
    let request = request(&form.key, &refund)?;
    read(site.backend.orders.refund(id, part, request).await).await?;
    Ok(Done::at(
        id,
        format!("Payment was asked to give {} back.", money(amount)),
    ))
}

/// `12`, `12.5` and `12.50`.
fn cents(text: &str) -> Option<i64> {
    let text = text.trim();
    let (units, rest) = text.split_once(['.', ',']).unwrap_or((text, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if units.is_empty() || !is_number(units) || rest.len() > 2 || !is_number(rest) {
        return None;
    }
    let rest: i64 = format!("{rest:0<2}").parse().ok()?;
    units.parse::<i64>().ok()?.checked_mul(100)?.checked_add(rest)
}

/// The request that a program would send.
fn request(key: &str, body: &impl Serialize) -> Result<Request<Body>, Problem> {
    let body = serde_json::to_vec(body).map_err(|error| Problem::internal(&error))?;
    Request::post("/")
        .header(header::CONTENT_TYPE, "application/json")
        .header(IDEMPOTENCY_KEY, key)
        .body(Body::from(body))
        .map_err(|_| {
            Problem::new(
                StatusCode::BAD_REQUEST,
                "The form has no key that can be used. Load the page again.",
            )
        })
}

/// What was answered: the order, or what is the matter.
async fn read(response: Response) -> Result<Order, Problem> {
    let (head, body) = response.into_parts();
    let body = to_bytes(body, ANSWER_BYTES_MAX)
        .await
        .map_err(|error| Problem::internal(&error))?;
    if head.status.is_success() {
        return serde_json::from_slice(&body).map_err(|error| Problem::internal(&error));
    }
    let problem: Option<Value> = serde_json::from_slice(&body).ok();
    let detail = problem.as_ref().and_then(|problem| problem["detail"].as_str());
    let detail = detail.unwrap_or("The service did not say why.");
    Err(Problem::new(head.status, detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_as_people_write_them() {
        for (text, amount) in [("12", 1_200), ("12.5", 1_250), (" 0,05 ", 5), ("7.", 700)] {
            assert_eq!(cents(text), Some(amount), "{text}");
        }
        for text in [
            "",
            ".",
            "-1",
            "1.234",
            "1e3",
            "12.5.1",
            "99999999999999999999",
            "1.-5",
        ] {
            assert_eq!(cents(text), None, "{text}");
        }
    }
}
