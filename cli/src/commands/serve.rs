//! The services: each part by itself, or all in one process.

use shared::{
    env::Env,
    service::{self, App, Role},
};
use tokio_util::sync::CancellationToken;
use workers::pipeline::Pool;

/// Serves the API until stopped.
pub async fn console(env: Env, stop: CancellationToken) -> anyhow::Result<()> {
    let app = App::open("console", env, Role::Part).await?;
    let served = console::run(app.clone(), stop).await;
    app.close().await;
    served
}

/// Everything until stopped: ingest first, so that nothing new is taken while the workers drain.
pub async fn up(env: Env, stop: CancellationToken) -> anyhow::Result<()> {
    let app = App::open("tapedeck", env, Role::Whole).await?;
    let parts = tokio::try_join!(
        ingest::run(app.clone(), stop.clone()),
        workers::run(app.clone(), Pool::all(), stop.clone()),
        console::run(app.clone(), stop),
    );
    app.close().await;
    parts.map(drop)
}

/// Brings the schema up to date.
pub async fn migrate(env: Env, _: CancellationToken) -> anyhow::Result<()> {
    service::migrate(&env).await
}
