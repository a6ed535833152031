//! The services: each part by itself, or all in one process.

use clap::Args;
use shared::{
    env::Env,
    service::{
        self, App, Role,
        ops::{self, Needs},
    },
};
use tokio_util::sync::CancellationToken;
use workers::pipeline::Pool;

/// Which queues a worker process takes from.
#[derive(Args)]
pub struct Worker {
    /// Steps to work on: intake, lookup, record, fetch, transcribe, analyze, sync, poll, or one sink's part such as
    /// sync.gohighlevel
    #[arg(long, value_delimiter = ',', value_name = "STEP,…")]
    steps: Vec<Pool>,
}

impl Worker {
    /// Works until stopped, then drains.
    pub async fn run(self, env: Env, stop: CancellationToken) -> anyhow::Result<()> {
        let app = App::open("worker", env, Role::Part).await?;
        let pools = if self.steps.is_empty() { Pool::all() } else { self.steps };
        let worked =
            ops::during(&app, Needs::DatabaseAndBroker, stop.clone(), workers::run(app.clone(), pools, stop)).await;
        app.close().await;
        worked
    }
}

/// Takes webhooks until stopped.
pub async fn ingest(env: Env, stop: CancellationToken) -> anyhow::Result<()> {
    let app = App::open("ingest", env, Role::Part).await?;
    let served = ops::during(&app, Needs::Database, stop.clone(), ingest::run(app.clone(), stop)).await;
    app.close().await;
    served
}

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
