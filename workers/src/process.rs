//! A worker process: the same as `workers` and as `tapedeck worker`.

use clap::Args;
use shared::{
    env::Env,
    service::{
        App, Role,
        ops::{self, Needs},
    },
};
use tokio_util::sync::CancellationToken;

use crate::pipeline::Pool;

/// Which queues a worker process takes from.
#[derive(Args)]
pub struct Worker {
    /// Steps to work on: intake, lookup, record, fetch, transcribe, analyze, sync, mirror, poll, or one sink's part such as
    /// sync.gohighlevel; all by default
    #[arg(long, value_delimiter = ',', value_name = "STEP,…")]
    steps: Vec<Pool>,
}

impl Worker {
    /// Works until stopped, then drains.
    ///
    /// # Errors
    /// When a setting is missing or cannot be used, or a port is taken.
    pub async fn run(self, env: Env, stop: CancellationToken) -> anyhow::Result<()> {
        let app = App::open("worker", env, Role::Part).await?;
        let pools = if self.steps.is_empty() { Pool::all() } else { self.steps };
        let worked =
            ops::during(&app, Needs::DatabaseAndBroker, stop.clone(), crate::run(app.clone(), pools, stop)).await;
        app.close().await;
        worked
    }
}
