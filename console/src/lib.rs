//! What people and programs may ask: the calls with all that is known of them, what failed, and to try it again.
//!
//! - [`calls`], [`costs`], [`dead`], [`recordings`], [`elevenlabs`]: one file per resource, with [`question`] to read what is asked.
//!   [`view`]: the JSON form of everything, also for the command line.
//! - [`access`]: who may ask; [`cors`]: from which pages. [`openapi`]: the description of all routes.
//!
//! To add a question: its query in `shared/src/db/console`, its form in [`view`], its handler with `#[utoipa::path]`, which
//! has the path too, and its line in [`routes`].

mod access;
mod calls;
mod cors;
mod costs;
mod dead;
mod elevenlabs;
pub mod openapi;
mod question;
mod recordings;
pub mod view;
mod waveform;

use axum::{Router, extract::FromRef, middleware};
use shared::service::{
    App, listen,
    ops::{self, Needs},
    problem,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa_axum::{router::OpenApiRouter, routes};

pub use crate::access::Access;
use crate::openapi::Document;

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
    let router = router(app.clone(), access, stop.clone());
    listen::serve(listener, router, &app.env, stop).await;
}

/// Every route of the private listener.
pub fn router(app: App, access: Access, stop: CancellationToken) -> Router {
    let ops = ops::router(&app, Needs::Database, stop);
    let document = Document::new(&openapi::document(&app.env, &app.sources));
    let state = Asked { desk: elevenlabs::Desk::new(&app), document, app };
    let pages = access.pages.clone();
    let (routes, _) = routes().with_state(state).split_for_parts();
    let router = routes
        .layer(middleware::from_fn_with_state(access, access::check))
        .merge(ops)
        .fallback(problem::not_found)
        .method_not_allowed_fallback(problem::method_not_allowed)
        .layer(CatchPanicLayer::custom(problem::panicked));
    match pages {
        Some(pages) => router.layer(pages),
        None => router,
    }
}

/// Every route that needs the token, with its description.
fn routes() -> OpenApiRouter<Asked> {
    OpenApiRouter::new()
        .routes(routes!(calls::list))
        .routes(routes!(calls::show))
        .routes(routes!(calls::conversation))
        .routes(routes!(calls::reanalyze))
        .routes(routes!(waveform::show))
        .routes(routes!(dead::replay_call))
        .routes(routes!(dead::list))
        .routes(routes!(dead::replay))
        .routes(routes!(recordings::poll))
        .routes(routes!(costs::list))
        .routes(routes!(elevenlabs::call))
        .routes(routes!(elevenlabs::process))
        .routes(routes!(openapi::serve))
}

/// Reads a query string from outside.
#[cfg(feature = "fuzzing")]
pub fn fuzz_query(query: &str) {
    if let Ok(uri) = format!("/calls?{query}").parse() {
        calls::fuzz(&uri);
    }
}

/// What handlers work with.
#[derive(Clone)]
struct Asked {
    app: App,
    desk: elevenlabs::Desk,
    document: Document,
}

impl FromRef<Asked> for App {
    fn from_ref(asked: &Asked) -> Self {
        asked.app.clone()
    }
}

impl FromRef<Asked> for elevenlabs::Desk {
    fn from_ref(asked: &Asked) -> Self {
        asked.desk.clone()
    }
}

impl FromRef<Asked> for Document {
    fn from_ref(asked: &Asked) -> Self {
        asked.document.clone()
    }
}
