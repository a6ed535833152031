//! Webhooks in: verify, record, announce, answer. Small, fast, nothing else.
//!
//! - [`webhook`]: one request, from its raw bytes to its answer; [`body`] reads within bounds.
//! - [`recorder`]: writes what waits at the same moment in one commit.
//! - [`recording`]: the lasting link to a call's audio, with [`range`] requests.
//!
//! A new provider brings its own routes; nothing is added here.

mod body;
mod range;
mod recorder;
mod recording;
mod webhook;

use axum::{Router, routing::get};
use shared::service::{
    App, listen,
    ops::{self, Needs},
    problem,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;

use crate::{body::Room, recorder::Recorder};

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
    if let Ok(address) = listener.local_addr() {
        let providers: Vec<_> = app.providers.iter().map(|p| p.id().to_string()).collect();
        tracing::info!(%address, providers = providers.join(","), "taking webhooks");
    }
    listen::serve(listener, router(&app, stop.clone()), stop).await;
}

/// Every route of the public listener.
pub fn router(app: &App, stop: CancellationToken) -> Router {
    let recorder = Recorder::start(app);
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
