//! `GET /dead`, `POST /dead/replay` and `POST /calls/{id}/replay`.

use axum::{
    Json,
    body::Bytes,
    extract::{Path, Query, State},
    http::StatusCode,
};
use serde::Deserialize;
use serde_json::{Value, json};
use shared::{
    db::console::{self, DeadFilter},
    domain::{JobId, QueueName},
    replay::{self, Which},
    service::{App, problem::Problem},
};

use crate::{calls, view};

/// At most so many jobs are replayed at once, unless a limit is given.
const AT_ONCE: i64 = 10_000;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    queue: Option<String>,
    reason: Option<String>,
    limit: Option<String>,
}

pub(crate) async fn list(State(app): State<App>, Query(asked): Query<Asked>) -> Result<Json<view::DeadPage>, Problem> {
    let filter = DeadFilter { queue: asked.queue, reason: asked.reason, limit: calls::limit(asked.limit.as_deref())? };
    let (groups, jobs) = (console::dead_groups(&app.db).await?, console::dead(&app.db, &filter).await?);
    Ok(Json(view::DeadPage::new(groups, jobs)))
}

/// Exactly one way to say which.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Order {
    ids: Option<Vec<JobId>>,
    queue: Option<String>,
    reason: Option<String>,
    all: bool,
    limit: Option<i64>,
}

pub(crate) async fn replay(State(app): State<App>, body: Bytes) -> Result<Json<Value>, Problem> {
    let order: Order = serde_json::from_slice(&body).map_err(|_| {
        Problem::new(StatusCode::BAD_REQUEST, "expected {ids}, {queue}, {reason} or {all: true} as JSON")
    })?;
    again(&app, &order.which()?).await
}

pub(crate) async fn replay_call(State(app): State<App>, Path(id): Path<String>) -> Result<Json<Value>, Problem> {
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

async fn again(app: &App, which: &Which) -> Result<Json<Value>, Problem> {
    match replay::replay(&app.db, &app.queue, &app.clock, which).await {
        Ok(replayed) => Ok(Json(json!({"replayed": replayed}))),
        Err(error) => {
            tracing::error!("{error:#}");
            Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the database is out of reach").retry_after(5))
        }
    }
}
