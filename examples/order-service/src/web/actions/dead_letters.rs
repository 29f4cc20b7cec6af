//! Forms about what could not be delivered or handled.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use crate::http::Problem;
use crate::playground::{BY, position};
use crate::web::Site;
use crate::web::answer::{self, Done, Htmx};
use crate::web::form::Form;

#[derive(Deserialize)]
pub(in crate::web) struct LetterForm {
    position: String,
}

/// Gives one back.
pub(in crate::web) async fn redrive(
    State(site): State<Site>,
    htmx: Htmx,
    Form(form): Form<LetterForm>,
) -> Response {
    answer::form(htmx, redriven(&site, form).await)
}

async fn redriven(site: &Site, form: LetterForm) -> Result<Done, Problem> {
    let position = position(&form.position)?;
    site.backend.dead_letters.redrive(&position, BY).await?;
    Ok(Done::new("The message is on its way again."))
}

/// Gives all back.
pub(in crate::web) async fn redrive_all(State(site): State<Site>, htmx: Htmx) -> Response {
    let redriven = site.backend.dead_letters.redrive_all(BY).await;
    let done = |count| match count {
        1 => Done::new("1 message is on its way again."),
        _ => Done::new(format!("{count} messages are on their way again.")),
    };
    answer::form(htmx, redriven.map(done).map_err(Problem::from))
}

#[derive(Deserialize)]
pub(in crate::web) struct DiscardForm {
    position: String,
    reason: String,
}

/// Gives one up.
pub(in crate::web) async fn discard(
    State(site): State<Site>,
    htmx: Htmx,
    Form(form): Form<DiscardForm>,
) -> Response {
    answer::form(htmx, discarded(&site, form).await)
}

async fn discarded(site: &Site, form: DiscardForm) -> Result<Done, Problem> {
    let position = position(&form.position)?;
    let letters = &site.backend.dead_letters;
    letters.discard(&position, &form.reason, BY).await?;
    Ok(Done::new("The message is given up, and the reason is kept."))
}
