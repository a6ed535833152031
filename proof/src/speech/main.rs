//! `speech`: how many words and speakers are lost on the way from a call to its transcript, on calls whose text is known.
//!
//! A [`script`] is spoken by two synthetic voices ([`voices`]) over two simulated telephone lines ([`line`]) into a
//! [`scene`], transcribed by the very code that the worker runs, and compared ([`errors`], [`speakers`], [`offsets`]) with
//! what was said, both as [`words`] without spelling. To add a call: a file in `calls/`, a line in `script.rs`.

mod errors;
mod line;
mod offsets;
mod report;
mod run;
mod scene;
mod script;
mod speakers;
mod voices;
mod words;

use clap::Parser;
use shared::{env::Env, telemetry};

/// Measures transcription against the speech server at TRANSCRIBE_BASE_URL.
#[derive(Parser)]
struct Arguments {
    /// Only these calls
    calls: Vec<String>,
    /// Print every turn as it was heard
    #[arg(long)]
    turns: bool,
    /// Keep the calls as WAV files in this directory
    #[arg(long, value_name = "DIRECTORY")]
    keep: Option<std::path::PathBuf>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Arguments { calls, turns, keep } = Arguments::parse();
    let env = Env::from_process()?;
    telemetry::init("speech", &env.with([("RUST_LOG", env.var("RUST_LOG").unwrap_or("error"))]))?.flush();
    run::run(&env, &calls, turns, keep.as_deref()).await
}
