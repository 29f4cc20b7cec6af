//! Forms of the merchants.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use crate::http::Problem;
use crate::web::Site;
use crate::web::answer::{self, Done, Htmx};
use crate::web::form::Form;
use crate::web::shop::{ARTICLES, Article, FULL};

/// Stocks the shelves.
pub(in crate::web) async fn fill(State(site): State<Site>, htmx: Htmx) -> Response {
    answer::form(htmx, filled(&site).await)
}

async fn filled(site: &Site) -> Result<Done, Problem> {
    for Article { merchant, sku, .. } in ARTICLES {
        // Refused where more than that is set aside: then there is enough.
        site.backend.warehouse.put_stock(merchant, sku, FULL).await?;
    }
    Ok(Done::new("The shelves are stocked."))
}

#[derive(Deserialize)]
pub(in crate::web) struct EmptyForm {
    merchant: String,
    sku: String,
}

/// Takes everything off a shelf that is not set aside.
pub(in crate::web) async fn empty(
    State(site): State<Site>,
    htmx: Htmx,
    Form(form): Form<EmptyForm>,
) -> Response {
    answer::form(htmx, emptied(&site, form).await)
}

async fn emptied(site: &Site, form: EmptyForm) -> Result<Done, Problem> {
    let warehouse = &site.backend.warehouse;
    let reserved = match warehouse.find_stock(&form.merchant, &form.sku).await? {
        Some(item) => item.reserved,
        None => {
            let detail = format!("{} has no {}.", form.merchant, form.sku);
            return Err(Problem::new(StatusCode::NOT_FOUND, detail));
        }
    };
    let put = warehouse.put_stock(&form.merchant, &form.sku, reserved).await?;
    if put.is_none() {
        let detail = format!("Somebody has just ordered {}. Try again.", form.sku);
        return Err(Problem::new(StatusCode::CONFLICT, detail));
    }
    Ok(Done::new(format!(
        "{} is short of {} now.",
        form.merchant, form.sku
    )))
}
