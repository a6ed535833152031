//! `workers`: works on the steps' queues. The same as `tapedeck worker`.

use std::process::ExitCode;

use clap::Parser;
use shared::{
    env::Env,
    service::{
        self, App, Role,
        ops::{self, Needs},
    },
};
use workers::pipeline::Pool;

/// Works on the steps' queues until stopped, then drains. Settings come from the environment.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Steps to work on: intake, lookup, record, fetch, transcribe, analyze, sync, poll, or one sink's part such as
    /// sync.gohighlevel; all by default
    #[arg(long, value_delimiter = ',', value_name = "STEP,…")]
    steps: Vec<Pool>,
}

fn main() -> ExitCode {
    let Arguments { steps } = Arguments::parse();
    let pools = if steps.is_empty() { Pool::all() } else { steps };
    service::run("worker", Env::from_process(), async |env, stop| {
        let app = App::open("worker", env, Role::Part).await?;
        let worked =
            ops::during(&app, Needs::DatabaseAndBroker, stop.clone(), workers::run(app.clone(), pools, stop)).await;
        app.close().await;
        worked
    })
}
