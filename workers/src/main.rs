//! `workers`: works on the steps' queues. The same as `tapedeck worker`.

use std::process::ExitCode;

use clap::Parser;
use shared::{env::Env, service};
use workers::process::Worker;

/// Works on the steps' queues until stopped, then drains. Settings come from the environment.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(flatten)]
    worker: Worker,
}

fn main() -> ExitCode {
    let Arguments { worker } = Arguments::parse();
    service::run("worker", Env::from_process(), async |env, stop| worker.run(env, stop).await)
}
