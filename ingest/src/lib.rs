//! Webhooks in: verify, record, announce, answer. Small, fast, nothing else.
//!
//! - [`webhook`]: one request, from its raw bytes to its answer; [`body`] reads within bounds.
//! - [`sifted`]: bodies that may hold a whole recording.
//! - [`recorder`]: writes what waits at the same moment in one commit.
//! - [`recording`]: the lasting link to a call's audio, with [`range`] requests.
//!
//! A new source brings its own routes; nothing is added here.

mod body;
mod range;
mod recorder;
mod recording;
mod sifted;
mod webhook;

use axum::{Router, routing::get};
use shared::{
    env::Env,
    links,
    service::{
        App, Role, listen,
        ops::{self, Needs},
        problem,
    },
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;

use crate::{body::Room, recorder::Recorder, sifted::Sifter, webhook::Door};

/// An ingest process: the same as `ingest` and as `tapedeck ingest`. Takes webhooks until stopped.
///
/// # Errors
/// When a setting is missing or cannot be used, or a port is taken.
pub async fn process(env: Env, stop: CancellationToken) -> anyhow::Result<()> {
    let app = App::open("ingest", env, Role::Part).await?;
    let served = ops::during(&app, Needs::Database, stop.clone(), run(app.clone(), stop)).await;
    app.close().await;
    served
}

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
        let sources: Vec<_> = app.sources.iter().map(|source| source.id().to_string()).collect();
        app.links.serve_at(address);
        tracing::info!(%address, sources = sources.join(","), "taking webhooks");
    }
    listen::serve(listener, router(&app, stop.clone()), &app.env, stop).await;
}

/// Every route of the public listener.
pub fn router(app: &App, stop: CancellationToken) -> Router {
    let room = Room::new();
    let sifter = Sifter::new(app, room.clone());
    let door = Door { clock: app.clock.clone(), recorder: Recorder::start(app), room, sifter };
    let mut router = Router::new();
    for source in app.sources.iter() {
        for route in source.webhooks() {
            router = router.route(route.path, webhook::endpoint(source.clone(), *route, door.clone()));
        }
    }
    router
        .route(links::ROUTE, get(recording::serve).with_state(app.clone()))
        .merge(ops::health(app, Needs::Database, stop))
        .fallback(problem::not_found)
        .method_not_allowed_fallback(problem::method_not_allowed)
        .layer(CatchPanicLayer::custom(problem::panicked))
}

/// Reads a `Range` header from outside: whatever it says, the part lies within the object.
#[cfg(feature = "fuzzing")]
pub fn fuzz_range(header: &str, size: u64) {
    if let range::Part::Bytes(part) = range::parse(Some(header), size) {
        assert!(part.start < part.end && part.end <= size, "{part:?} of {size}");
    }
}
