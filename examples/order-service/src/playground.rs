//! The playground: lets things go wrong, to see what happens then. For a service that people look at; `serve` has it on a
//! loopback address only, unless it is told otherwise.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post, put};
use axum::{Json, Router};
use outbox_sqlx::dead_letters::Position;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{OpenApi, ToSchema};
use uuid::Uuid;

use crate::dead_letters::{DeadLetterDesk, Letter};
use crate::faults::{Faults, Planned};
use crate::http::{Body, PathParams, Problem};
use crate::messaging::Tap;
use crate::service::Consumers;

/// Who does what is done here, in the audit of the dead letters.
pub const BY: &str = "playground";

/// What can be played with.
#[derive(Clone)]
pub struct Playground {
    /// What is to go wrong.
    pub faults: Faults,
    /// The consumers of this process.
    pub consumers: Consumers,
    /// Where the last message went past.
    pub tap: Tap,
}

/// The operations of the playground, for the OpenAPI document.
#[derive(OpenApi)]
#[openapi(paths(
    show_faults,
    plan_faults,
    list_consumers,
    set_consumer,
    deliver_again,
    list_dead,
    redrive,
    redrive_all,
    discard
))]
pub struct Routes;

#[derive(Clone)]
struct Desk {
    playground: Playground,
    dead_letters: Arc<dyn DeadLetterDesk>,
}

/// The routes under `/playground`.
pub fn routes(playground: Playground, dead_letters: Arc<dyn DeadLetterDesk>) -> Router {
    Router::new()
        .route("/playground/faults", get(show_faults).put(plan_faults))
        .route("/playground/consumers", get(list_consumers))
        .route("/playground/consumers/{group}", put(set_consumer))
        .route("/playground/deliver-again", post(deliver_again))
        .route("/playground/dead-letters", get(list_dead))
        .route("/playground/dead-letters/redrive", post(redrive))
        .route("/playground/dead-letters/redrive-all", post(redrive_all))
        .route("/playground/dead-letters/discard", post(discard))
        .with_state(Desk {
            playground,
            dead_letters,
        })
}

/// What is to go wrong next.
#[utoipa::path(get, path = "/playground/faults", tag = "playground", responses((status = 200, body = Planned)))]
async fn show_faults(State(desk): State<Desk>) -> Json<Planned> {
    Json(desk.playground.faults.planned())
}

/// Says what is to go wrong next, instead of what was planned before.
#[utoipa::path(put, path = "/playground/faults", tag = "playground", request_body = Planned,
    responses((status = 200, body = Planned), (status = 422, body = Problem)))]
async fn plan_faults(State(desk): State<Desk>, Body(planned): Body<Planned>) -> Json<Planned> {
    desk.playground.faults.plan(planned);
    Json(desk.playground.faults.planned())
}

/// A consumer of this process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConsumerState {
    /// Its group.
    pub group: String,
    /// Whether it runs.
    pub running: bool,
}

/// The consumers of this process.
#[utoipa::path(get, path = "/playground/consumers", tag = "playground", responses((status = 200, body = Vec<ConsumerState>)))]
async fn list_consumers(State(desk): State<Desk>) -> Json<Vec<ConsumerState>> {
    let consumers = desk.playground.consumers.all().await.into_iter();
    let state = |(group, running): (&str, bool)| ConsumerState {
        group: group.to_owned(),
        running,
    };
    Json(consumers.map(state).collect())
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SetConsumer {
    /// Whether it is to run.
    running: bool,
}

/// Stops a consumer, or starts it again.
#[utoipa::path(put, path = "/playground/consumers/{group}", tag = "playground", request_body = SetConsumer,
    params(("group" = String, Path)),
    responses((status = 200, body = ConsumerState), (status = 404, body = Problem)))]
async fn set_consumer(
    State(desk): State<Desk>,
    PathParams(group): PathParams<String>,
    Body(wanted): Body<SetConsumer>,
) -> Result<Json<ConsumerState>, Problem> {
    let running = wanted.running;
    let set = desk.playground.consumers.set_running(&group, running).await;
    match set.map_err(|error| Problem::internal(&*error))? {
        true => Ok(Json(ConsumerState { group, running })),
        false => Err(no_consumer(&group)),
    }
}

/// Which message it was.
#[derive(Debug, Serialize, ToSchema)]
struct DeliveredAgain {
    /// The message; none, if none was delivered by this process yet.
    message_id: Option<Uuid>,
}

/// Delivers the last message once more, with the same id.
#[utoipa::path(post, path = "/playground/deliver-again", tag = "playground", responses((status = 200, body = DeliveredAgain)))]
async fn deliver_again(State(desk): State<Desk>) -> Result<Json<DeliveredAgain>, Problem> {
    let delivered = desk.playground.tap.deliver_again().await;
    let message_id = delivered.map_err(|error| Problem::internal(&error))?;
    Ok(Json(DeliveredAgain {
        message_id: message_id.map(|id| id.0),
    }))
}

/// What could not be delivered or handled.
#[utoipa::path(get, path = "/playground/dead-letters", tag = "playground", responses((status = 200, body = Vec<Letter>)))]
async fn list_dead(State(desk): State<Desk>) -> Result<Json<Vec<Letter>>, Problem> {
    Ok(Json(desk.dead_letters.list().await?))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Which {
    /// The dead letter's position.
    position: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Discard {
    /// The dead letter's position.
    position: String,
    /// Why.
    reason: String,
}

/// Gives a dead letter back to whoever could not handle it.
#[utoipa::path(post, path = "/playground/dead-letters/redrive", tag = "playground", request_body = Which,
    responses((status = 204), (status = 409, body = Problem), (status = 422, body = Problem)))]
async fn redrive(State(desk): State<Desk>, Body(which): Body<Which>) -> Result<StatusCode, Problem> {
    let position = position(&which.position)?;
    desk.dead_letters.redrive(&position, BY).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// How many these were.
#[derive(Debug, Serialize, ToSchema)]
struct Redriven {
    /// Dead letters that were given back.
    redriven: u64,
}

/// Gives all dead letters back.
#[utoipa::path(post, path = "/playground/dead-letters/redrive-all", tag = "playground", responses((status = 200, body = Redriven)))]
async fn redrive_all(State(desk): State<Desk>) -> Result<Json<Redriven>, Problem> {
    let redriven = desk.dead_letters.redrive_all(BY).await?;
    Ok(Json(Redriven { redriven }))
}

/// Gives a dead letter up for good.
#[utoipa::path(post, path = "/playground/dead-letters/discard", tag = "playground", request_body = Discard,
    responses((status = 204), (status = 409, body = Problem), (status = 422, body = Problem)))]
async fn discard(State(desk): State<Desk>, Body(discard): Body<Discard>) -> Result<StatusCode, Problem> {
    let position = position(&discard.position)?;
    desk.dead_letters.discard(&position, &discard.reason, BY).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A dead letter's position, as people and programs send it.
pub(crate) fn position(text: &str) -> Result<Position, Problem> {
    let parsed = text.parse();
    parsed.map_err(|error: outbox_sqlx::OutboxError| {
        Problem::invalid(vec![crate::http::FieldError::new("/position", error.to_string())])
    })
}

/// Who wants something of a consumer that another process may have.
pub(crate) fn no_consumer(group: &str) -> Problem {
    let detail = format!("This process has no consumer {group}.");
    Problem::new(StatusCode::NOT_FOUND, detail)
}
