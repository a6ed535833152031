//! The most memory a worker holds that fetches eight large recordings at once.

#![expect(clippy::print_stdout, reason = "the figures are the answer")]

use std::time::{Duration, Instant};

use proof::process::{Process, beside};
use sandbox::{RecordingFile, Sandbox};
use shared::{
    db,
    domain::{ProviderId, Step},
    service::{App, Role},
    testing::within,
};

use crate::{load::Connection, peak, stage};

const AT_ONCE: u64 = 8;
const FIRST_CALL: u64 = 3_000_000_000;

/// Prints the figures.
pub async fn run(gigabytes: f64) -> anyhow::Result<()> {
    println!("{AT_ONCE} recordings of {gigabytes} GB fetched at once by one worker");
    let (scratch, env) = stage::scratch().await;
    let sandbox = Sandbox::start(([127, 0, 0, 1], 0).into()).await?;
    let env = env.with([("CLOUDTALK_BASE_URL", sandbox.base_urls().cloudtalk.as_str()), ("CONCURRENCY_FETCH", "8")]);
    let app = App::open("bench", env.clone(), Role::Beside).await?;
    let (ingest, address) = stage::ingest(&scratch, &env).await?;
    let start = |steps: &str| {
        Process::start(
            &beside("tapedeck")?,
            &["worker", "--steps", steps],
            &env,
            scratch.path().join(format!("{steps}.log")),
        )
    };
    let intake = start("intake")?;
    let target = stage::call_ended(address);
    let mut connection = Connection::open(&target).await?;
    for number in 0..AT_ONCE {
        let id = FIRST_CALL + number;
        let url = sandbox.add_recording(id, RecordingFile::Generated { bytes: (gigabytes * 1e9) as u64 });
        let body = format!(
            r#"{{"call_id":{id},"call_status":"answered","external_number":{},"recording_url":"{url}"}}"#,
            393_700_000_000 + number
        );
        connection.post(&target, &body).await?;
    }
    let taken = Duration::from_secs(60);
    within(taken, "all are taken in", async || waiting(&app).await == AT_ONCE as i64).await;
    let (started, fetch) = (Instant::now(), start("fetch")?);
    within(Duration::from_secs(900), "all are stored", async || {
        tokio::time::sleep(Duration::from_millis(500)).await;
        stored(&app).await == AT_ONCE
    })
    .await;
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "  peak memory {:.1} MiB, {seconds:.0} s, {:.0} MB/s\n",
        peak::memory(stage::pid(&fetch)?)?,
        gigabytes * 1000.0 * AT_ONCE as f64 / seconds
    );
    for process in [fetch, intake, ingest] {
        process.terminate(Duration::from_secs(30)).await?;
    }
    app.close().await;
    drop(scratch);
    Ok(())
}

/// Jobs that wait to be fetched.
async fn waiting(app: &App) -> i64 {
    let stats = db::jobs::stats(&app.db, app.clock.now()).await.unwrap_or_default();
    stats.iter().find(|s| s.queue == Step::Fetch.as_str()).map_or(0, |s| s.waiting)
}

/// Recordings that are stored.
async fn stored(app: &App) -> u64 {
    let provider = ProviderId::new("cloudtalk");
    let mut stored = 0;
    for number in 0..AT_ONCE {
        let call = db::calls::find_by_key(&app.db, &provider, &(FIRST_CALL + number).to_string()).await;
        let Ok(Some(call)) = call else { continue };
        stored += u64::from(db::recordings::find(&app.db, call.id).await.is_ok_and(|found| found.is_some()));
    }
    stored
}
