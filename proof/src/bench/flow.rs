//! Calls per second through all steps, and how long one call takes on an idle system, from webhook to CRM note; on RabbitMQ and
//! Postgres, with everything of ours in one process and two kinds of vendors: instant ones, which are not called over
//! HTTP at all, and simulated ones, which are (and whose work on the same cores is counted, too).

#![expect(clippy::print_stdout, reason = "the figures are the answer")]

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use sandbox::Sandbox;
use shared::{
    db,
    service::{App, Role},
    testing::within,
};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use workers::{pipeline::Pool, runner, tuning::Tuning};

use crate::{
    load::{Connection, as_fast_as_possible},
    stage::{self, ms},
};

mod instant;

/// Who is outside.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Vendors {
    /// Answers that are there at once, without HTTP: what our own work costs.
    Instant,
    /// The sandbox, a process of its own in real life, here a thread: HTTP, audio, uploads.
    Simulated,
}

/// Prints the figures.
pub async fn run(vendors: Vendors) -> anyhow::Result<()> {
    let (scratch, env) = stage::scratch().await;
    let sandbox = Sandbox::start(([127, 0, 0, 1], 0).into()).await?;
    sandbox.switch(|switches| switches.record = false);
    let env = stage::vendors(&env, &sandbox).with([("DATABASE_CONNECTIONS", "8")]);
    let mut app = App::open("bench", env, Role::Whole).await?;
    let told = (vendors == Vendors::Instant).then(|| instant::sinks(&mut app));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    let stop = CancellationToken::new();
    let ingest = tokio::spawn(ingest::serve(app.clone(), listener, stop.clone()));
    let workers = work(&app, vendors, stop.clone())?;

    match told {
        Some(told) => {
            println!(
                "through all steps, instant vendors (Postgres, RabbitMQ; both servers, load and Tapedeck on these cores)"
            );
            idle(address, told).await?;
            together(&app, address, 6_000).await?;
        }
        None => {
            println!("through all steps, simulated vendors over HTTP (audio, S3 and all; the vendors' work included)");
            whole(&app, &sandbox, address).await?;
        }
    }
    stop.cancel();
    ingest.await?;
    workers.await?;
    app.close().await;
    drop(scratch);
    Ok(())
}

fn work(app: &App, vendors: Vendors, stop: CancellationToken) -> anyhow::Result<JoinHandle<()>> {
    let (app, tuning) = (app.clone(), Tuning::from_env(&app.env)?);
    Ok(tokio::spawn(async move {
        match vendors {
            Vendors::Instant => runner::run_lanes(app.clone(), instant::lanes(&app), tuning, stop).await,
            Vendors::Simulated => {
                if let Err(error) = workers::run(app, Pool::all(), stop).await {
                    println!("  the workers ended: {error:#}");
                }
            }
        }
    }))
}

/// One call at a time.
async fn idle(address: SocketAddr, mut told: instant::Told) -> anyhow::Result<()> {
    let target = stage::call_ended(address);
    let mut connection = Connection::open(&target).await?;
    let mut times = Vec::new();
    for number in 0..120 {
        let started = Instant::now();
        connection.post(&target, &stage::call(9_000_000 + number)).await?;
        told.recv().await;
        // The first few also open connections and prepare statements.
        if number >= 20 {
            times.push(started.elapsed());
        }
        // Until the other sink and the last settlements are through: idle again.
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
    times.sort();
    let (p50, p99) = (times[times.len() / 2], times[times.len() * 99 / 100]);
    println!("  webhook to note, idle: p50 {:.1} ms   p99 {:.1} ms", ms(p50), ms(p99));
    tokio::spawn(async move { while told.recv().await.is_some() {} });
    Ok(())
}

/// Many at once.
async fn together(app: &App, address: SocketAddr, calls: u64) -> anyhow::Result<()> {
    let target = stage::call_ended(address);
    let started = Instant::now();
    let posting = as_fast_as_possible(target, 32, Duration::from_secs_f64(calls as f64 / 1500.0)).await?;
    let calls = posting.times.len();
    within(Duration::from_secs(180), "every call is through", async || {
        tokio::time::sleep(Duration::from_millis(100)).await;
        db::jobs::unfinished(&app.db).await.is_ok_and(|left| left == 0)
    })
    .await;
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "  {calls} calls in {seconds:.1} s: {:.0} calls/s, from the first webhook to the last note\n",
        calls as f64 / seconds
    );
    Ok(())
}

/// Everything real but the vendors.
async fn whole(app: &App, sandbox: &Sandbox, address: SocketAddr) -> anyhow::Result<()> {
    let calls = 400u64;
    let wav = sandbox::samples::named("billing").map(|sample| sample.wav.clone()).unwrap_or_default();
    let target = stage::call_ended(address);
    let started = Instant::now();
    let mut connection = Connection::open(&target).await?;
    for number in 0..calls {
        let id = 2_000_000_000 + number;
        let url = sandbox.add_recording(id, sandbox::RecordingFile::Bytes(wav.clone()));
        let body = format!(
            r#"{{"call_id":{id},"direction":"incoming","call_status":"answered","external_number":{},"talking_time":20,"recording":true,"recording_url":"{url}"}}"#,
            393_600_000_000 + number
        );
        connection.post(&target, &body).await?;
    }
    within(Duration::from_secs(300), "every call is through", async || {
        tokio::time::sleep(Duration::from_millis(100)).await;
        db::jobs::unfinished(&app.db).await.is_ok_and(|left| left == 0)
    })
    .await;
    let seconds = started.elapsed().as_secs_f64();
    let records = sandbox.state().callmind.records.len();
    println!("  {records} of {calls} calls in {seconds:.1} s: {:.0} calls/s\n", records as f64 / seconds);
    Ok(())
}
