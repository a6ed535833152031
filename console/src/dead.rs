//! `GET /dead`, `POST /dead/replay` and `POST /calls/{id}/replay`.

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use shared::{
    db::console::{self, DeadFilter},
    domain::{JobId, QueueName},
    replay::{self, Which},
    service::{App, problem::Problem},
};

use utoipa::{IntoParams, ToSchema};

use crate::{
    calls,
    question::{Body, Name, Query},
    view,
};

/// At most so many jobs are replayed at once, unless a limit is given.
const AT_ONCE: i64 = 10_000;

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Asked {
    /// Of one queue.
    #[param(example = "sync.gohighlevel")]
    queue: Option<String>,
    /// With one reason.
    #[param(example = "not-audio")]
    reason: Option<String>,
    /// At most so many.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 500)]
    limit: Option<String>,
}

/// What failed for good
#[utoipa::path(get, path = "/dead", tag = "failures", params(Asked), responses(
    (status = 200, description = "how many failed alike, and each of those that were asked for", body = view::DeadPage),
    (status = 400, description = "a parameter makes no sense; `field` names it"),
))]
pub(crate) async fn list(State(app): State<App>, Query(asked): Query<Asked>) -> Result<Json<view::DeadPage>, Problem> {
    let filter = DeadFilter { queue: asked.queue, reason: asked.reason, limit: calls::limit(asked.limit.as_deref())? };
    let (groups, jobs) = (console::dead_groups(&app.db).await?, console::dead(&app.db, &filter).await?);
    Ok(Json(view::DeadPage { groups, jobs }))
}

/// Which failures to try again: exactly one of `ids`, `queue` and/or `reason`, and `all`.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = ReplayOrder, example = json!({"queue": "fetch", "reason": "not-audio"}))]
pub(crate) struct Order {
    ids: Option<Vec<JobId>>,
    queue: Option<String>,
    reason: Option<String>,
    all: bool,
    /// At most so many, the oldest first; 10000 where it is not given.
    limit: Option<i64>,
}

/// What came of it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Replayed {
    /// So many jobs are due again, with fresh attempts.
    replayed: usize,
}

/// Try again what failed for good
#[utoipa::path(post, path = "/dead/replay", tag = "failures", request_body = Order, responses(
    (status = 200, description = "they are due again", body = Replayed),
    (status = 400, description = "not JSON of that form"),
    (status = 422, description = "it does not say which, or in several ways"),
))]
pub(crate) async fn replay(State(app): State<App>, Body(body): Body) -> Result<Json<Replayed>, Problem> {
    let order: Order = serde_json::from_slice(&body).map_err(|_| {
        Problem::new(StatusCode::BAD_REQUEST, "expected {ids}, {queue}, {reason} or {all: true} as JSON")
    })?;
    again(&app, &order.which()?).await
}

/// Try again what failed for good of one call
#[utoipa::path(post, path = "/calls/{id}/replay", tag = "failures",
    params(("id" = String, Path, description = "the provider's id of the call (`cloudtalk:1042600731`, where several have it), or ours", example = "1042600731")),
    responses(
        (status = 200, description = "its jobs are due again", body = Replayed),
        (status = 404, description = "no such call"),
        (status = 409, description = "several calls have this name; `candidates` has one of each"),
    ))]
pub(crate) async fn replay_call(State(app): State<App>, Name(id): Name) -> Result<Json<Replayed>, Problem> {
    let call = calls::find(&app, &id).await?;
    again(&app, &Which::Call(call.id)).await
}

impl Order {
    fn which(self) -> Result<Which, Problem> {
        let limit = self.limit.unwrap_or(AT_ONCE).max(0);
        match (self.ids, self.queue, self.reason, self.all) {
            (Some(ids), None, None, false) => Ok(Which::Jobs(ids)),
            (None, None, None, true) => Ok(Which::Dead { queue: None, reason: None, limit }),
            (None, queue, reason, false) if queue.is_some() || reason.is_some() => {
                Ok(Which::Dead { queue: queue.map(QueueName::from), reason, limit })
            }
            _ => Err(Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "say which: ids, queue and/or reason, or all; not several of them",
            )),
        }
    }
}

async fn again(app: &App, which: &Which) -> Result<Json<Replayed>, Problem> {
    match replay::replay(&app.db, &app.queue, &app.clock, which).await {
        Ok(replayed) => Ok(Json(Replayed { replayed })),
        Err(error) => {
            tracing::error!("{error:#}");
            Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the database is out of reach").retry_after(5))
        }
    }
}
