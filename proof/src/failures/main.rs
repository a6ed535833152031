//! `failures`: breaks everything that can break under the real program, and looks for what was lost or done twice.
//!
//! [`scenario`] is THE list; each has its story in `scenes/`. A story places calls and disturbs; [`ending`] then waits until
//! every call is concluded and compares what the vendors hold with what they should; [`report`] prints. To add one: a function in
//! a file of `scenes/`, a line in the list.

mod calls;
mod ending;
mod held;
mod report;
mod scenario;
mod scenes;

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

/// Breaks everything that can break, and looks for what was lost or done twice.
///
/// Run it as `make failures`, which brings a PostgreSQL and a RabbitMQ that may be stopped.
#[derive(Parser)]
struct Arguments {
    /// Scenarios to run, by name or by the beginning of their names; all without any
    #[arg(value_name = "SCENARIO")]
    only: Vec<String>,
    /// Print the scenarios
    #[arg(long)]
    list: bool,
    /// The program; by default the tapedeck beside this one
    #[arg(long, value_name = "PATH")]
    program: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let Arguments { only, list, program } = Arguments::parse();
    if list {
        report::list();
        return Ok(ExitCode::SUCCESS);
    }
    let program = program.map_or_else(|| proof::process::beside("tapedeck"), |path| Ok(path.canonicalize()?))?;
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    // Dropped in the middle, a scenario takes its processes along.
    tokio::select! {
        code = report::run(&program, &only) => code,
        _ = term.recv() => Ok(ExitCode::from(143)),
        _ = int.recv() => Ok(ExitCode::from(130)),
    }
}
