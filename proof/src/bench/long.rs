//! One call of three hours from webhook to the notes in the CRM, and the memory of the worker that does all of it.

#![expect(clippy::print_stdout, reason = "the figures are the answer")]

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use proof::process::{Process, beside};
use sandbox::{RecordingFile, Sandbox};
use shared::{
    db,
    domain::{Call, ProviderId},
    service::{App, Role},
    testing::within,
};

use crate::{dialogue::record, load::Connection, peak, stage, words};

const HOURS: f64 = 3.0;
const CALL: u64 = 4_000_000_000;
/// From the webhook to the last note; nobody waits longer.
const PATIENCE: Duration = Duration::from_secs(900);

/// Prints the figures.
pub async fn run() -> anyhow::Result<()> {
    println!("one two-channel call of {HOURS} h from webhook to notes: the vendors simulated, the rest real");
    let (scratch, env) = stage::scratch().await;
    let sandbox = Sandbox::start(([127, 0, 0, 1], 0).into()).await?;
    let (speech, speaking) = words::serve().await?;
    let env = stage::vendors(&env, &sandbox).with([("TRANSCRIBE_BASE_URL", format!("http://{speech}/v1"))]);
    let wav = scratch.path().join("call.wav");
    record(&wav, HOURS)?;
    let url = sandbox.add_recording(CALL, RecordingFile::Path(wav));
    let app = App::open("bench", env.clone(), Role::Beside).await?;
    let (ingest, address) = stage::ingest(&scratch, &env).await?;
    let worker = Process::start(&beside("tapedeck")?, &["worker"], &env, scratch.path().join("worker.log"))?;
    let started = Instant::now();
    post(address, &url).await?;
    let call = concluded(&app).await?;
    let seconds = started.elapsed().as_secs_f64();
    let peak = peak::memory(stage::pid(&worker)?)?;
    let transcript = db::transcripts::find(&app.db, call.id).await?.context("it has no transcript")?;
    let feedback = db::feedback::find(&app.db, call.id).await?.context("it has no feedback")?;
    let state = sandbox.state();
    let notes: Vec<_> = state.ghl.contacts.iter().flat_map(|contact| &contact.notes).collect();
    let judged = |body: &str| body.contains(&feedback.judged.summary);
    ensure!(notes.iter().any(|note| judged(&note.body)), "no note brings the feedback");
    ensure!(state.callmind.records.len() == 1, "{} records in Callmind", state.callmind.records.len());
    println!(
        "  {} turns, {} words, {:.0} s of audio sent, judged in {} parts, {} notes; {seconds:.0} s; peak memory of the worker {peak:.1} MiB\n",
        transcript.turns.len(),
        transcript.words(),
        transcript.billed_seconds,
        feedback.parts.unwrap_or(1),
        notes.len(),
    );
    for process in [worker, ingest] {
        process.terminate(Duration::from_secs(30)).await?;
    }
    speaking.abort();
    app.close().await;
    drop(scratch);
    Ok(())
}

async fn post(address: SocketAddr, recording: &str) -> anyhow::Result<()> {
    let target = stage::call_ended(address);
    let body = format!(
        r#"{{"call_id":{CALL},"call_status":"answered","direction":"incoming","external_number":393700000001,"recording_url":"{recording}"}}"#
    );
    Connection::open(&target).await?.post(&target, &body).await
}

/// The call, once all its work is done.
async fn concluded(app: &App) -> anyhow::Result<Call> {
    let find = async || db::calls::find_by_key(&app.db, &ProviderId::new("cloudtalk"), &CALL.to_string()).await;
    within(PATIENCE, "every step is through", async || {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let told = find().await.is_ok_and(|call| call.is_some_and(|call| call.conclusion.is_some()));
        told && db::jobs::unfinished(&app.db).await.is_ok_and(|left| left == 0)
    })
    .await;
    find().await?.context("the call is gone")
}
