//! `demo`: the whole of it on this machine, with vendors that are simulated, in a directory that is gone afterwards.

#![expect(clippy::print_stdout, reason = "the answer of a command goes to standard output")]

mod mirrored;
mod progress;
mod shown;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use anyhow::Context;
use clap::Args;
use console::Access;
use futures::FutureExt;
use sandbox::{CallMode, PlaceCall, Sandbox};
use shared::{
    env::Env,
    service::{App, Role},
};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;
use workers::pipeline::Pool;

const SECRET: &str = "demo-webhook-secret";
/// The sub-account of GoHighLevel.
const LOCATION: &str = "DEMO";
const TOKEN: &str = "demo-token";
/// What the calls are scored by.
const SCORECARD: &str = include_str!("scorecard.json");
/// Nobody waits longer for the sample calls.
const PATIENCE: Duration = Duration::from_secs(120);

/// How to show it.
#[derive(Args)]
pub struct Demo {
    /// End when the calls are done, instead of leaving the API up
    #[arg(long)]
    exit: bool,
}

impl Demo {
    /// Places the calls, shows their way, prints what the CRM received, and leaves the API up.
    pub async fn run(self, env: &Env, stop: CancellationToken) -> anyhow::Result<()> {
        let directory = Directory::new()?;
        let local = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let sandbox = match Sandbox::start(local(9100)).await {
            Ok(sandbox) => sandbox,
            Err(_) => Sandbox::start(local(0)).await?,
        };
        let (webhooks, questions) = (bind(3000).await?, bind(3080).await?);
        let (ingest_at, console_at) = (webhooks.local_addr()?, questions.local_addr()?);
        let settings = settings(env, &sandbox, &directory, ingest_at, console_at);
        let app = App::open("demo", settings, Role::Whole).await?;
        println!("Tapedeck, with everything outside SIMULATED on this machine: CloudTalk, Twilio, ElevenLabs,");
        println!(
            "some exchange, speech and model, GoHighLevel, Callmind and a URL of your own are one small server at {}.",
            sandbox.url()
        );
        println!("No key, no network.\n");

        let mut parts = JoinSet::new();
        parts.spawn(ingest::serve(app.clone(), webhooks, stop.clone()).map(Ok));
        parts.spawn(workers::run(app.clone(), Pool::all(), stop.clone()));
        parts.spawn(console::serve(app.clone(), Access::from_env(&app.env)?, questions, stop.clone()).map(Ok));
        let base = format!("http://{ingest_at}");
        let shown = tokio::select! {
            shown = show(&app, &sandbox, &base) => shown,
            () = stop.cancelled() => Ok(()),
            Some(ended) = parts.join_next() => ended.context("a part of it failed")?,
        };
        if shown.is_ok() && !self.exit && !stop.is_cancelled() {
            usage(console_at, &sandbox);
            stop.cancelled().await;
        }
        stop.cancel();
        while parts.join_next().await.is_some() {}
        app.close().await;
        shown
    }
}

async fn show(app: &App, sandbox: &Sandbox, base: &str) -> anyhow::Result<()> {
    let order = |sample: &str, mode| PlaceCall::new(base, SECRET, sample).mode(mode);
    let mut late = order("support", CallMode::ApiFallback);
    late.not_ready_times = 1;
    let agent = order("billing", CallMode::EndedThenRecording).provider("elevenlabs");
    let orders = [
        ("billing", "the webhook brings the recording's URL", order("billing", CallMode::EndedWithUrl)),
        ("sales", "the recording is announced later", order("sales", CallMode::EndedThenRecording)),
        ("support", "no URL: the API is asked until it is there", late),
        ("appointment", "nobody answered", order("appointment", CallMode::Missed)),
        ("sales", "over Twilio, whose callback is signed", order("sales", CallMode::EndedWithUrl).provider("twilio")),
        ("billing", "an ElevenLabs agent's, its audio inside the webhook", agent),
        (
            "support",
            "of an exchange nobody heard of: any JSON will do",
            order("support", CallMode::EndedWithUrl).provider("generic"),
        ),
    ];
    let mut placed = Vec::new();
    for (sample, what, order) in orders {
        let numbered = order.provider == "cloudtalk";
        let call = sandbox.place_call(order).await?;
        if let Some(refused) = call.answers.iter().find(|answer| answer.status != 200) {
            anyhow::bail!("the webhook {} was answered {}: {}", refused.event, refused.status, refused.body);
        }
        let id = if numbered { call.call_id.to_string() } else { call.call_uuid };
        println!("placed   {}  {sample}: {what}", shown::short(&id));
        placed.push(id);
    }
    println!();
    let waited = tokio::time::timeout(PATIENCE, progress::follow(app, &placed)).await;
    waited.context("the calls did not finish in time")??;
    let state = sandbox.state();
    for call in placed {
        shown::print(&state, &call);
    }
    mirrored::show(app, sandbox, base).await
}

fn usage(console_at: SocketAddr, sandbox: &Sandbox) {
    println!("The API is up until Ctrl-C:");
    println!("  curl -H 'Authorization: Bearer {TOKEN}' http://{console_at}/calls");
    println!("  curl {}/control/ledger          what the simulated vendors were asked", sandbox.url());
}

fn settings(env: &Env, sandbox: &Sandbox, directory: &Directory, ingest: SocketAddr, console: SocketAddr) -> Env {
    let vendors = sandbox.base_urls();
    let (ingest_port, console_port) = (ingest.port().to_string(), console.port().to_string());
    let link_base = format!("http://{ingest}");
    let exchange = sandbox.addr().to_string();
    let scorecard = directory.scorecard.display().to_string();
    // Only what the demo needs: what is set for real vendors must not be touched by it.
    let logging = ["RUST_LOG", "LOG_FORMAT"].into_iter().filter_map(|name| Some((name, env.var(name)?)));
    Env::from_pairs(logging).with([
        ("HOST", "127.0.0.1"),
        ("PORT", &ingest_port),
        ("CONSOLE_PORT", &console_port),
        ("API_TOKEN", TOKEN),
        ("TAPEDECK_DATA", &directory.path),
        ("TAPEDECK_SPOOL", &directory.path),
        ("WEBHOOK_BASE_URL", &link_base),
        ("CLOUDTALK_WEBHOOK_SECRET", SECRET),
        ("CLOUDTALK_API_KEY", "demo:demo"),
        ("CLOUDTALK_BASE_URL", &vendors.cloudtalk),
        ("TWILIO_ACCOUNT_SID", sandbox::TWILIO_ACCOUNT),
        ("TWILIO_AUTH_TOKEN", SECRET),
        ("TWILIO_BASE_URL", &vendors.twilio),
        ("ELEVENLABS_WEBHOOK_SECRET", SECRET),
        ("ELEVENLABS_API_KEY", "demo"),
        ("ELEVENLABS_BASE_URL", &vendors.elevenlabs),
        ("ELEVENLABS_AGENT_ID", "agent_demo"),
        ("ELEVENLABS_AGENT_PHONE_NUMBER_ID", "phnum_demo"),
        ("OPENAI_BASE_URL", &vendors.openai),
        ("OPENAI_API_KEY", "demo"),
        ("FEEDBACK_SCORECARD", &scorecard),
        ("GENERIC_WEBHOOK_SECRET", SECRET),
        ("GENERIC_RECORDING_HOSTS", &exchange),
        ("GHL_BASE_URL", &vendors.ghl),
        ("GHL_API_KEY", "demo"),
        ("GHL_LOCATION_ID", LOCATION),
        ("GHL_WEBHOOK_SECRET", SECRET),
        ("MIRROR", "on"),
        ("CALLMIND_BASE_URL", &vendors.callmind),
        ("CALLMIND_TOKEN", "demo"),
        ("CALLMIND_AGENT_ID", "agent_demo"),
        ("TARGET_URL", &vendors.target),
        ("TARGET_SECRET", sandbox::TARGET_SECRET),
    ])
}

/// The port that people expect, or any free one.
async fn bind(wanted: u16) -> anyhow::Result<TcpListener> {
    match TcpListener::bind(("127.0.0.1", wanted)).await {
        Ok(listener) => Ok(listener),
        Err(_) => TcpListener::bind(("127.0.0.1", 0)).await.context("no free port"),
    }
}

/// A directory that is removed at the end.
struct Directory {
    path: String,
    scorecard: PathBuf,
    _held: tempfile::TempDir,
}

impl Directory {
    fn new() -> anyhow::Result<Self> {
        let held = tempfile::Builder::new().prefix("tapedeck-demo-").tempdir().context("no temporary directory")?;
        let scorecard = held.path().join("scorecard.json");
        std::fs::write(&scorecard, SCORECARD).context("no room for the scorecard")?;
        Ok(Self { path: held.path().display().to_string(), scorecard, _held: held })
    }
}
