//! Forms that let things go wrong.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use crate::faults::Planned;
use crate::groups::CONFIRMATIONS;
use crate::http::Problem;
use crate::playground::{Playground, no_consumer};
use crate::web::Site;
use crate::web::answer::{self, Done, Htmx};
use crate::web::form::Form;

/// How much longer each message takes in slow motion, in milliseconds: time enough to see it.
const SLOW_MOTION: u64 = 900;

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum What {
    RefuseCharge,
    LoseAnswer,
    Fail,
    SlowMotion,
    FullSpeed,
    Nothing,
}

#[derive(Deserialize)]
pub(in crate::web) struct PlanForm {
    what: What,
    group: Option<String>,
}

/// Says what is to go wrong next.
pub(in crate::web) async fn plan(
    State(site): State<Site>,
    htmx: Htmx,
    Form(form): Form<PlanForm>,
) -> Response {
    answer::form(htmx, planned(&site, form))
}

fn planned(site: &Site, form: PlanForm) -> Result<Done, Problem> {
    let playground = playground(site)?;
    let faults = &playground.faults;
    let more = |count: &mut u32| *count = count.saturating_add(1);
    let said = match form.what {
        What::RefuseCharge => {
            faults.change(|planned| more(&mut planned.refuse_charges));
            "The bank will refuse the next charge.".to_owned()
        }
        What::LoseAnswer => {
            faults.change(|planned| more(&mut planned.lose_answers));
            "The bank's next answer will get lost.".to_owned()
        }
        What::Fail => {
            let group = form.group.unwrap_or_default();
            if !playground.consumers.groups().contains(&group.as_str()) {
                return Err(no_consumer(&group));
            }
            let said = format!("The next message that {group} hears will fail for good.");
            faults.change(|planned| more(planned.fail.entry(group).or_default()));
            said
        }
        What::SlowMotion => {
            let groups = playground.consumers.groups().into_iter();
            let groups = groups.filter(|group| *group != CONFIRMATIONS);
            let slow = groups.map(|group| (group.to_owned(), SLOW_MOTION)).collect();
            faults.change(|planned| planned.slow = slow);
            "Slow motion: each message takes almost a second longer.".to_owned()
        }
        What::FullSpeed => {
            faults.change(|planned| planned.slow.clear());
            "Full speed again.".to_owned()
        }
        What::Nothing => {
            faults.plan(Planned::default());
            "Nothing is to go wrong any more.".to_owned()
        }
    };
    Ok(Done::new(said))
}

#[derive(Deserialize)]
pub(in crate::web) struct ConsumerForm {
    group: String,
    run: bool,
}

/// Stops a consumer, or starts it again.
pub(in crate::web) async fn set_consumer(
    State(site): State<Site>,
    htmx: Htmx,
    Form(form): Form<ConsumerForm>,
) -> Response {
    answer::form(htmx, consumer_set(&site, form).await)
}

async fn consumer_set(site: &Site, ConsumerForm { group, run }: ConsumerForm) -> Result<Done, Problem> {
    let set = playground(site)?.consumers.set_running(&group, run).await;
    match (set.map_err(|error| Problem::internal(&*error))?, run) {
        (false, _) => Err(no_consumer(&group)),
        (true, true) => Ok(Done::new(format!("{group} runs, and handles what has waited."))),
        (true, false) => Ok(Done::new(format!(
            "{group} is stopped. What is sent to it waits."
        ))),
    }
}

/// Delivers the last message again.
pub(in crate::web) async fn deliver_again(State(site): State<Site>, htmx: Htmx) -> Response {
    answer::form(htmx, delivered_again(&site).await)
}

async fn delivered_again(site: &Site) -> Result<Done, Problem> {
    let delivered = playground(site)?.tap.deliver_again().await;
    Ok(Done::new(
        match delivered.map_err(|error| Problem::internal(&error))? {
            Some(id) => format!(
                "Message {id} was delivered once more. Whoever has handled it knows it, and does nothing."
            ),
            None => "No message was delivered by this process yet.".to_owned(),
        },
    ))
}

fn playground(site: &Site) -> Result<&Playground, Problem> {
    let detail = "Nothing can be made to go wrong here.";
    let none = || Problem::new(StatusCode::NOT_FOUND, detail);
    site.playground.as_ref().ok_or_else(none)
}
