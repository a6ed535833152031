//! What people and programs may ask: the calls with all that is known of them, what failed, and to try it again.
//!
//! - [`calls`], [`costs`], [`dead`], [`recordings`], [`elevenlabs`]: one file per resource. [`view`]: the JSON form of everything, also for the command line.
//! - [`access`]: who may ask.
//!
//! To add a question: its query in `shared/src/db/console`, its form in [`view`], its route in [`router`].

mod access;
mod calls;
mod costs;
mod dead;
mod elevenlabs;
mod recordings;
pub mod view;

use axum::{
    Router, middleware,
    routing::{get, post},
};
use shared::service::{
    App, listen,
    ops::{self, Needs},
    problem,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;

pub use crate::access::Access;

/// Listens on `CONSOLE_PORT` and serves until `stop` is cancelled. Without `API_TOKEN` only this machine may ask.
///
/// # Errors
/// When the port is taken, or others could reach it and there is no token.
pub async fn run(app: App, stop: CancellationToken) -> anyhow::Result<()> {
    let access = Access::from_env(&app.env)?;
    let listener = listen::bind(&access.narrowed(&app.env), "CONSOLE_PORT", 3080).await?;
    serve(app, access, listener, stop).await;
    Ok(())
}

/// Serves on a listener until `stop` is cancelled.
pub async fn serve(app: App, access: Access, listener: TcpListener, stop: CancellationToken) {
    if let Ok(address) = listener.local_addr() {
        tracing::info!(%address, "answering questions");
    }
    listen::serve(listener, router(app, access, stop.clone()), stop).await;
}

/// Every route.
pub fn router(app: App, access: Access, stop: CancellationToken) -> Router {
    let ops = ops::router(&app, Needs::Database, stop);
    let agents = Router::new()
        .route("/api/calls", post(elevenlabs::call))
        .route("/elevenlabs/conversation/{id}/process", post(elevenlabs::process))
        .with_state(elevenlabs::Desk::new(&app));
    Router::new()
        .route("/calls", get(calls::list))
        .route("/calls/{id}", get(calls::show))
        .route("/calls/{id}/replay", post(dead::replay_call))
        .route("/api/chats/poll-recordings", post(recordings::poll))
        .route("/costs", get(costs::list))
        .route("/dead", get(dead::list))
        .route("/dead/replay", post(dead::replay))
        .with_state(app)
        .merge(agents)
        .layer(middleware::from_fn_with_state(access, access::check))
        .merge(ops)
        .fallback(problem::not_found)
        .method_not_allowed_fallback(problem::method_not_allowed)
        .layer(CatchPanicLayer::custom(problem::panicked))
}
