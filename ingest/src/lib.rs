//! Webhooks in: verify, record, announce, answer. Small, fast, nothing else.
//!
//! - [`webhook`]: one request, from its raw bytes to its answer; [`body`] reads within bounds.
//! - [`recorder`]: writes what waits at the same moment in one commit; [`announcer`] wakes the workers afterwards.
//! - [`recording`]: the lasting link to a call's audio, with [`range`] requests.
//!
//! A new provider brings its own routes; nothing is added here.

mod announcer;
mod body;
mod range;
mod recorder;
mod recording;
mod webhook;

use std::time::Duration;

use axum::{Router, routing::get};
use shared::service::{
    App, listen,
    ops::{self, Needs},
    problem,
};
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower_http::catch_panic::CatchPanicLayer;

use crate::{announcer::Announcer, body::Room, recorder::Recorder};

/// What was accepted is written within this time after the last answer.
const WRITE_OUT: Duration = Duration::from_secs(10);

/// Listens on `PORT` and serves until `stop` is cancelled.
///
/// # Errors
/// When the port is taken.
pub async fn run(app: App, stop: CancellationToken) -> anyhow::Result<()> {
    let listener = listen::bind(&app.env, "PORT", 3000).await?;
    serve(app, listener, stop).await;
    Ok(())
}

/// Serves on a listener until `stop` is cancelled, then answers what is under way.
pub async fn serve(app: App, listener: TcpListener, stop: CancellationToken) {
    let tasks = TaskTracker::new();
    if let Ok(address) = listener.local_addr() {
        let providers: Vec<_> = app.providers.iter().map(|p| p.id().to_string()).collect();
        tracing::info!(%address, providers = providers.join(","), "taking webhooks");
    }
    listen::serve(listener, router(&app, &tasks, stop.clone()), stop).await;
    tasks.close();
    if tokio::time::timeout(WRITE_OUT, tasks.wait()).await.is_err() {
        tracing::warn!("some wake-ups were not published; the dispatcher will");
    }
}

/// Every route of the public listener. Its background tasks end once the router and its clones are dropped.
pub fn router(app: &App, tasks: &TaskTracker, stop: CancellationToken) -> Router {
    let announcer = Announcer::start(app.queue.clone(), tasks);
    let recorder = Recorder::start(app.db.clone(), app.clock.clone(), announcer, tasks);
    let room = Room::new();
    let mut router = Router::new();
    for provider in app.providers.iter() {
        for route in provider.webhooks() {
            let handler =
                webhook::endpoint(provider.clone(), *route, app.clock.clone(), recorder.clone(), room.clone());
            router = router.route(route.path, handler);
        }
    }
    router
        .route("/api/recordings/{provider}/{call}", get(recording::serve).with_state(app.clone()))
        .merge(ops::router(app, Needs::Database, stop))
        .fallback(problem::not_found)
        .method_not_allowed_fallback(problem::method_not_allowed)
        .layer(CatchPanicLayer::custom(problem::panicked))
}
