//! What orchestrators and monitors ask of every process: `/livez`, `/readyz`, `/metrics`.
//!
//! Liveness is about this process alone: a database or broker that is away is no reason to restart it. Readiness says
//! whether it may be given work.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use utoipa::OpenApi;

use super::{App, listen};
use crate::{db::outage, queue::Hearing, telemetry::metrics};

/// A consumer that is not registered for this long although it should be will not recover by itself.
const DEAF: Duration = Duration::from_secs(180);
/// The database has this long to answer the readiness check.
const PATIENCE: Duration = Duration::from_secs(2);
/// An answer of the database is believed for this long, so that nobody can make us ask it all the time.
const BELIEVED: Duration = Duration::from_secs(1);

/// How the routes are described.
#[derive(OpenApi)]
#[openapi(paths(livez, readyz, render))]
pub struct Described;

/// Whose readiness it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// The database alone: webhooks are recorded also while the broker is down.
    Database,
    /// The database and the broker.
    DatabaseAndBroker,
}

/// The three routes. Not ready any more once `stop` is cancelled.
pub fn router(app: &App, needs: Needs, stop: CancellationToken) -> Router {
    metrics::install();
    routes().route("/metrics", get(render)).with_state(Ops::new(app, needs, stop))
}

/// `/livez` and `/readyz` alone, for a listener that everybody can reach.
pub fn health(app: &App, needs: Needs, stop: CancellationToken) -> Router {
    routes().with_state(Ops::new(app, needs, stop))
}

fn routes() -> Router<Arc<Ops>> {
    Router::new().route("/livez", get(livez)).route("/readyz", get(readyz))
}

/// Does `work`, and serves the routes on `METRICS_PORT` (9090; 0 switches them off) for as long as it takes, draining
/// included. For processes without a private listener of their own.
///
/// # Errors
/// When the port is taken, or the work fails.
pub async fn during<T>(
    app: &App,
    needs: Needs,
    stop: CancellationToken,
    work: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<T> {
    if app.env.var("METRICS_PORT") == Some("0") {
        return work.await;
    }
    let listener = listen::bind(&app.env, "METRICS_PORT", 9090).await?;
    let ended = CancellationToken::new();
    let (router, env, until) = (router(app, needs, stop), app.env.clone(), ended.clone());
    tokio::spawn(async move { listen::serve(listener, router, &env, until).await });
    let _ended = ended.drop_guard();
    work.await
}

struct Ops {
    app: App,
    needs: Needs,
    stop: CancellationToken,
    pinged: Mutex<Option<(Instant, bool)>>,
}

impl Ops {
    fn new(app: &App, needs: Needs, stop: CancellationToken) -> Arc<Self> {
        Arc::new(Self { app: app.clone(), needs, stop, pinged: Mutex::new(None) })
    }

    async fn database_answers(&self) -> bool {
        let mut pinged = self.pinged.lock().await;
        if let Some((at, answer)) = *pinged
            && at.elapsed() < BELIEVED
        {
            return answer;
        }
        let answer = outage::within(PATIENCE, self.app.db.ping()).await.flatten().is_ok();
        *pinged = Some((Instant::now(), answer));
        answer
    }
}

/// Whether the process should go on
#[utoipa::path(get, path = "/livez", tag = "health", security(()), responses(
    (status = 200, description = "it should", body = String, content_type = "text/plain"),
    (status = 503, description = "start it anew", body = String, content_type = "text/plain"),
))]
async fn livez(State(ops): State<Arc<Ops>>) -> Response {
    match ops.app.queue.hearing() {
        Hearing::Deaf(time) if time > DEAF => {
            let text = format!("connected but not consuming for {} s\n", time.as_secs());
            (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
        }
        _ => "alive\n".into_response(),
    }
}

/// Whether the process may be given work
#[utoipa::path(get, path = "/readyz", tag = "health", security(()), responses(
    (status = 200, description = "it may", body = String, content_type = "text/plain"),
    (status = 503, description = "what is missing", body = String, content_type = "text/plain"),
))]
async fn readyz(State(ops): State<Arc<Ops>>) -> Response {
    let missing = if ops.stop.is_cancelled() {
        Some("shutting down\n")
    } else if !ops.database_answers().await {
        Some("the database does not answer\n")
    } else if ops.needs == Needs::DatabaseAndBroker && !ops.app.queue.connected() {
        Some("the broker is out of reach\n")
    } else {
        None
    };
    match missing {
        Some(text) => (StatusCode::SERVICE_UNAVAILABLE, text).into_response(),
        None => "ready\n".into_response(),
    }
}

/// Metrics for Prometheus
#[utoipa::path(get, path = "/metrics", tag = "health", security(()), responses(
    (status = 200, description = "Prometheus' text format", body = String, content_type = "text/plain"),
))]
async fn render(State(ops): State<Arc<Ops>>) -> Response {
    let deaf = match ops.app.queue.hearing() {
        Hearing::Fine => Duration::ZERO,
        Hearing::Deaf(time) => time,
    };
    ::metrics::gauge!("tapedeck_deaf_seconds").set(deaf.as_secs_f64());
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], metrics::render()).into_response()
}
