//! `bench`: how fast it is and what it takes, each figure next to what it is compared with, measured in the same run.

mod accept;
mod audio;
mod dialogue;
mod fetching;
mod flow;
mod load;
mod long;
mod peak;
mod receive;
mod rows;
mod stage;
mod words;

use std::path::PathBuf;

use clap::Parser;
use shared::{env::Env, telemetry};

/// Measures Tapedeck on this machine, with the servers that TEST_DATABASE_URL and TEST_AMQP_URL name.
#[derive(Parser)]
#[command(
    after_help = "Parts: accept, flow, vendors, rows, fetch, receive, audio, long. All of them take about eight minutes."
)]
struct Bench {
    /// Only these parts
    parts: Vec<String>,
    /// Seconds per measurement
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Gigabytes of each of the eight recordings that are fetched at once
    #[arg(long, default_value_t = 1.0)]
    gigabytes: f64,
    /// Only the audio work on this file, in this process; for the part `audio`
    #[arg(long, hide = true)]
    audio_work: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let bench = Bench::parse();
    if let Some(recording) = &bench.audio_work {
        return audio::work(recording);
    }
    let env = Env::from_process()?;
    telemetry::init("bench", &env.with([("RUST_LOG", env.var("RUST_LOG").unwrap_or("error"))]))?.flush();
    let wanted = |part: &str| bench.parts.is_empty() || bench.parts.iter().any(|p| p == part);
    if wanted("accept") {
        accept::run(bench.seconds).await?;
    }
    if wanted("flow") {
        flow::run(flow::Vendors::Instant).await?;
    }
    if wanted("vendors") {
        flow::run(flow::Vendors::Simulated).await?;
    }
    if wanted("rows") {
        rows::run().await?;
    }
    if wanted("fetch") {
        fetching::run(bench.gigabytes).await?;
    }
    if wanted("receive") {
        receive::run().await?;
    }
    if wanted("audio") {
        audio::run()?;
    }
    if wanted("long") {
        long::run().await?;
    }
    Ok(())
}
