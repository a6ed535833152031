//! One call of three hours from webhook to transcript, and the memory of the worker that does all of it.

#![expect(clippy::print_stdout, reason = "the figures are the answer")]

use std::time::{Duration, Instant};

use anyhow::Context;
use proof::process::{Process, beside};
use sandbox::{RecordingFile, Sandbox};
use shared::{
    db,
    domain::{ProviderId, Transcript},
    service::{App, Role},
    testing::within,
};

use crate::{dialogue::record, load::Connection, peak, stage};

const HOURS: f64 = 3.0;
const CALL: u64 = 4_000_000_000;

/// Prints the figures.
pub async fn run() -> anyhow::Result<()> {
    println!("one two-channel call of {HOURS} h: CloudTalk and the speech server simulated, the rest real");
    let (scratch, env) = stage::scratch().await;
    let sandbox = Sandbox::start(([127, 0, 0, 1], 0).into()).await?;
    let urls = sandbox.base_urls();
    let env = env.with([
        ("CLOUDTALK_BASE_URL", urls.cloudtalk.as_str()),
        ("TRANSCRIBE_BASE_URL", &urls.openai),
        ("TRANSCRIBE_API_KEY", "key"),
    ]);
    let call = scratch.path().join("call.wav");
    record(&call, HOURS)?;
    let app = App::open("bench", env.clone(), Role::Beside).await?;
    let (ingest, address) = stage::ingest(&scratch, &env).await?;
    let log = scratch.path().join("worker.log");
    let worker = Process::start(&beside("tapedeck")?, &["worker", "--steps", "intake,fetch,transcribe"], &env, log)?;
    let url = sandbox.add_recording(CALL, RecordingFile::Path(call));
    let target = stage::call_ended(address);
    let started = Instant::now();
    let body = format!(
        r#"{{"call_id":{CALL},"call_status":"answered","direction":"incoming","external_number":393700000001,"recording_url":"{url}"}}"#
    );
    Connection::open(&target).await?.post(&target, &body).await?;
    within(Duration::from_secs(900), "it is transcribed", async || {
        tokio::time::sleep(Duration::from_millis(500)).await;
        transcript(&app).await.is_some()
    })
    .await;
    let seconds = started.elapsed().as_secs_f64();
    let transcript = transcript(&app).await.context("the transcript is gone")?;
    println!(
        "  {} turns, {} words, {:.0} s of audio sent, in {seconds:.0} s; peak memory of the worker {:.1} MiB\n",
        transcript.turns.len(),
        transcript.words(),
        transcript.billed_seconds,
        peak::memory(stage::pid(&worker)?)?
    );
    for process in [worker, ingest] {
        process.terminate(Duration::from_secs(30)).await?;
    }
    app.close().await;
    drop(scratch);
    Ok(())
}

async fn transcript(app: &App) -> Option<Transcript> {
    let call = db::calls::find_by_key(&app.db, &ProviderId::new("cloudtalk"), &CALL.to_string()).await.ok()??;
    db::transcripts::find(&app.db, call.id).await.ok()?
}
