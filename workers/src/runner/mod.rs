//! Consume, claim, run, settle. `work` is the only place that settles; `leases` keeps what runs; `gauges` shows how the
//! queues stand.
//!
//! A worker may be killed at any moment: its leases run out, and its jobs are due again. On SIGTERM it stops consuming, lets what
//! runs finish, and gives the rest back without spending an attempt.

mod gauges;
mod leases;
mod records;
mod work;

use std::{collections::HashMap, sync::Arc, time::Duration};

use shared::{
    dispatcher::Dispatcher,
    domain::{QueueName, Step},
    letters,
    publisher::Publisher,
    service::App,
};
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;
use work::Worker;

use crate::{
    pipeline::{self, Pool},
    schedule,
    step::Run,
    steps::poll,
    tuning::Tuning,
};

/// After a stop consumers end at once, where the broker answers.
const CONSUMERS_END: Duration = Duration::from_secs(2);

/// Which step takes from which queue, and how many at once.
pub type Lanes = HashMap<QueueName, (Arc<dyn Run>, u16)>;

/// Works on the queues of these pools until `stop` is cancelled, then drains. Waits out outages of database and broker.
///
/// # Errors
/// When a setting cannot be used. Nothing that happens later ends it.
pub async fn run(app: App, pools: Vec<Pool>, stop: CancellationToken) -> anyhow::Result<()> {
    let tuning = Tuning::from_env(&app.env)?;
    let mut lanes = Lanes::new();
    for pool in &pools {
        let step = pipeline::build(pool.step, &app)?;
        let concurrency = tuning.concurrency(pool.step, step.concurrency())?;
        for queue in pool.queues(&app) {
            lanes.insert(queue, (step.clone(), concurrency));
        }
    }
    if pools.iter().any(|pool| pool.step == Step::Poll) {
        tokio::spawn(poll::arm(app.clone(), stop.clone()));
    }
    run_lanes(app, lanes, tuning, stop).await;
    Ok(())
}

/// [`run`], with the steps given.
pub async fn run_lanes(app: App, lanes: Lanes, tuning: Tuning, stop: CancellationToken) {
    let publisher = Publisher::start(app.queue.clone(), app.db.clone());
    let worker = Arc::new(Worker::new(&app, publisher, tuning.clone(), Uuid::now_v7()));
    let background = CancellationToken::new();
    let tasks = TaskTracker::new();
    tasks.spawn(dispatcher(&app).run(background.clone()));
    let App { db, queue, clock, .. } = app.clone();
    tasks.spawn(letters::keep(db, queue, clock, background.clone()));
    tasks.spawn(leases::keep(worker.clone(), background.clone()));
    tasks.spawn(gauges::keep(app.clone(), background.clone()));

    let jobs = TaskTracker::new();
    let consumers = TaskTracker::new();
    for (queue, (step, concurrency)) in lanes {
        tracing::info!(%queue, concurrency, "consuming");
        // There from the start, so that its absence means that nobody consumes.
        metrics::gauge!("tapedeck_in_flight", "queue" => queue.as_str().to_owned()).increment(0.0);
        let consumer = app.queue.consume(&queue, concurrency, stop.clone()).await;
        consumers.spawn(consume(consumer, worker.clone(), step, concurrency, jobs.clone()));
    }
    stop.cancelled().await;
    consumers.close();
    // A broker that hangs must not take the time that work in hand has.
    let _ = tokio::time::timeout(CONSUMERS_END, consumers.wait()).await;
    drain(&worker, &jobs, &tuning).await;
    background.cancel();
    tasks.close();
    tasks.wait().await;
}

/// The dispatcher of a process, whatever else it does.
pub fn dispatcher(app: &App) -> Dispatcher {
    Dispatcher {
        db: app.db.clone(),
        queue: app.queue.clone(),
        clock: app.clock.clone(),
        queues: pipeline::queues(app),
        max_attempts: schedule::MAX_ATTEMPTS,
    }
}

async fn consume(
    mut consumer: Box<dyn shared::queue::Consumer>,
    worker: Arc<Worker>,
    step: Arc<dyn Run>,
    concurrency: u16,
    jobs: TaskTracker,
) {
    // The broker hands out that many messages; some are about several jobs.
    let room = Arc::new(Semaphore::new(concurrency.into()));
    while let Some(delivered) = consumer.next().await {
        jobs.spawn(worker.clone().handle(step.clone(), delivered, room.clone()));
    }
}

async fn drain(worker: &Worker, jobs: &TaskTracker, tuning: &Tuning) {
    jobs.close();
    if !jobs.is_empty() {
        tracing::info!(jobs = jobs.len(), seconds = tuning.drain.as_secs_f64(), "draining");
    }
    if tokio::time::timeout(tuning.drain, jobs.wait()).await.is_err() {
        tracing::warn!(jobs = jobs.len(), "giving back what did not finish in time");
        worker.give_back();
        // Only the database can hold this up; it has had its time.
        let _ = tokio::time::timeout(Duration::from_secs(5), jobs.wait()).await;
    }
}
