//! The commands. To add one: a file here with its arguments and an async `run`, a variant of [`Command`], its line in
//! [`Cli::run`].

mod calls;
mod costs;
mod dead;
mod demo;
mod doctor;
mod openapi;
mod probe;
mod serve;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use shared::{env::Env, service};
use workers::process::Worker;

/// Takes call webhooks, keeps every recording, and brings transcript and feedback to the CRM.
#[derive(Parser)]
#[command(name = "tapedeck", version, after_help = AFTER_HELP, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
Settings come from the environment, and from .env in the working directory; .env.example lists them all. Without DATABASE_URL, \
AMQP_URL and S3_BUCKET everything is kept in the directory TAPEDECK_DATA.

Examples:
  tapedeck demo                          see it work, with no key and no server
  tapedeck doctor                        what is set, and does it work?
  tapedeck up                            everything in one process, for your own vendors
  tapedeck worker --steps fetch,sync     one worker pool of several
  tapedeck calls show 123456             how far is this call, and why?
  tapedeck calls reanalyze --outdated    feedback anew, where prompt, scorecard or model have changed
  tapedeck dead replay --queue fetch     try again what failed for good";

#[derive(Subcommand)]
enum Command {
    /// Show it at work: a few sample calls, simulated vendors, nothing to set up
    Demo(demo::Demo),
    /// Run everything in one process
    Up,
    /// Take webhooks (on PORT, 3000) and serve the lasting links to recordings
    Ingest,
    /// Work on the steps' queues
    Worker(Worker),
    /// Serve the API for operators (on CONSOLE_PORT, 3080)
    Console,
    /// Look at calls, and have feedback made anew
    Calls(calls::Calls),
    /// Show what speech and models cost
    Costs(costs::Costs),
    /// Look at what failed for good, and replay it
    Dead(dead::Dead),
    /// Print what is set and try it
    Doctor,
    /// Bring the schema of DATABASE_URL up to date
    Migrate,
    /// Print the description of all routes (OpenAPI), with the webhooks of what is set up
    Openapi,
    /// Ask a URL; succeeds when it answers 2xx (for health checks)
    Probe(probe::Probe),
}

impl Cli {
    /// Runs the command as this process.
    pub fn run(self) -> ExitCode {
        // A service logs what it does; a command that somebody typed prints its answer, and in words what is wrong.
        let typed = |level| {
            let unset = |env: &Env, name: &str| env.var(name).is_none();
            Env::from_process().map(|env| {
                let defaults = [("RUST_LOG", level), ("LOG_FORMAT", "text")];
                env.with(defaults.into_iter().filter(|(name, _)| unset(&env, name)))
            })
        };
        let quietly = || typed("warn");
        let env = Env::from_process;
        match self.command {
            Command::Demo(demo) => {
                service::run("tapedeck", typed("error"), async |env, stop| demo.run(&env, stop).await)
            }
            Command::Up => service::run("tapedeck", env(), serve::up),
            Command::Ingest => service::run("ingest", env(), ingest::process),
            Command::Worker(worker) => service::run("worker", env(), async |env, stop| worker.run(env, stop).await),
            Command::Console => service::run("console", env(), serve::console),
            Command::Calls(calls) => service::run("tapedeck", quietly(), async |env, stop| calls.run(env, stop).await),
            Command::Costs(costs) => service::run("tapedeck", quietly(), async |env, _| costs.run(env).await),
            Command::Dead(dead) => service::run("tapedeck", quietly(), async |env, _| dead.run(env).await),
            Command::Doctor => service::run("tapedeck", quietly(), async |env, _| doctor::run(env).await),
            Command::Openapi => service::run("tapedeck", quietly(), async |env, _| openapi::run(&env)),
            Command::Migrate => service::run("tapedeck", env(), serve::migrate),
            Command::Probe(probe) => service::run("tapedeck", quietly(), async |env, _| probe.run(&env).await),
        }
    }
}
