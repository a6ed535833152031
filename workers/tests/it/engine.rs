//! The engine with steps that do as they are told, in both shapes.

/// Runs a test in both shapes.
macro_rules! in_both_shapes {
    ($($name:ident),* $(,)?) => {$(
        mod $name {
            use super::*;
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn embedded() {
                super::$name(Installation::new(Shape::Embedded).await).await;
            }
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn production() {
                super::$name(Installation::new(Shape::Production).await).await;
            }
        }
    )*};
}

mod leases;
mod letters;
mod told;

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use anyhow::anyhow;
use shared::{
    db,
    domain::{CallId, Conclusion, JobId, NewJob, Outcome, QueueName, Step, StepError, Wake, Write},
    env::Env,
    queue::Wakeup,
    replay::{Which, replay},
    service::{App, Role},
    testing::{Scratch, Shape, eventually},
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use workers::{runner::run_lanes, step::Run, tuning::Tuning};

use self::told::told;
use crate::given::{self, Given};

in_both_shapes! {
    runs_what_is_due_once,
    retries_a_failure_by_the_schedule_until_it_succeeds,
    comes_back_exactly_when_the_vendor_said,
    a_panic_and_a_missed_deadline_are_failures_like_others,
    a_missed_deadline_is_no_failure_where_something_was_bought,
    what_fails_for_good_is_dead_lettered_and_can_be_replayed,
    what_one_step_makes_due_the_next_one_does,
    a_stopped_worker_gives_back_what_does_not_finish,
    a_job_whose_worker_vanished_is_done_by_another,
    a_queue_that_vanished_is_filled_again,
    one_message_may_wake_many_jobs,
}

const FETCH: QueueName = QueueName::new("fetch");

struct Installation {
    app: App,
    scratch: Scratch,
}

impl Installation {
    async fn new(shape: Shape) -> Self {
        let scratch = Scratch::new(shape).await;
        let env = scratch.env().with([("RETRY_SCALE", "0.01"), ("LEASE_SECONDS", "1"), ("DRAIN_SECONDS", "0.2")]);
        let app = open(&env).await;
        Self { app, scratch }
    }

    async fn add(&self, step: Step) -> JobId {
        self.add_for(CallId::new(), step).await
    }

    async fn add_for(&self, call: CallId, step: Step) -> JobId {
        let job = NewJob::step(step, call, Wake::No);
        let now = self.app.clock.now();
        let mut tx = self.app.db.begin().await.unwrap();
        db::jobs::add(&mut tx, &[(job.clone(), None)], now, now).await.unwrap();
        tx.commit().await.unwrap();
        job.id
    }

    fn start(&self, steps: Vec<Arc<dyn Run>>) -> Worker {
        let stop = CancellationToken::new();
        let lane = |step: Arc<dyn Run>| (QueueName::of(step.step(), None), (step.clone(), step.concurrency()));
        let lanes: HashMap<_, _> = steps.into_iter().map(lane).collect();
        let tuning = Tuning::from_env(&self.app.env).unwrap();
        let task = tokio::spawn(run_lanes(self.app.clone(), lanes, tuning, stop.clone()));
        Worker { stop, task }
    }

    async fn state(&self, id: JobId) -> (String, i32) {
        db::jobs::state(&self.app.db, id).await.unwrap().expect("the job")
    }

    async fn ends(&self, id: JobId, state: &str) {
        eventually(state, async || self.state(id).await.0 == state).await;
    }

    async fn close(self) {
        self.app.close().await;
        drop(self.scratch);
    }
}

async fn open(env: &Env) -> App {
    App::open("test", env.clone(), Role::Whole).await.unwrap()
}

struct Worker {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Worker {
    async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

fn done() -> Result<Outcome, StepError> {
    Ok(Outcome::default())
}

async fn runs_what_is_due_once(at: Installation) {
    let (step, runs) = told(Step::Fetch, |_, _| async { done() });
    let worker = at.start(vec![step]);
    let mut ids = Vec::new();
    for _ in 0..20 {
        ids.push(at.add(Step::Fetch).await);
    }
    for id in &ids {
        let wakeup = Wakeup::new(*id, FETCH, None);
        for _ in 0..2 {
            // A queue that is only just declared may refuse for a moment.
            eventually("published", async || at.app.queue.publish(&wakeup).await.is_ok()).await;
        }
    }
    for id in ids {
        at.ends(id, "done").await;
    }
    eventually("no message is left", async || at.app.queue.depth(&FETCH).await.unwrap() == 0).await;
    worker.stop().await;
    assert_eq!(runs.load(Ordering::SeqCst), 20, "duplicates are forgotten");
    at.close().await;
}

async fn retries_a_failure_by_the_schedule_until_it_succeeds(at: Installation) {
    let (step, _) = told(Step::Fetch, |run, job| async move {
        assert_eq!(job.attempt as u32, run);
        if run < 4 { Err(StepError::retry("broken", anyhow!("not this time"))) } else { done() }
    });
    let worker = at.start(vec![step]);
    let id = at.add(Step::Fetch).await;
    at.ends(id, "done").await;
    assert_eq!(at.state(id).await.1, 4);
    worker.stop().await;
    at.close().await;
}

async fn comes_back_exactly_when_the_vendor_said(at: Installation) {
    let told_to_wait = Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = told_to_wait.clone();
    let (step, _) = told(Step::Fetch, move |run, _| {
        seen.lock().unwrap().push(std::time::Instant::now());
        async move {
            if run == 1 {
                return Err(StepError::snooze("rate-limited", Duration::from_millis(1500), anyhow!("too many")));
            }
            done()
        }
    });
    let worker = at.start(vec![step]);
    let id = at.add(Step::Fetch).await;
    at.ends(id, "done").await;
    assert_eq!(at.state(id).await.1, 1, "a snooze is no attempt");
    let times = told_to_wait.lock().unwrap().clone();
    let waited = times[1] - times[0];
    assert!(waited >= Duration::from_millis(1490) && waited < Duration::from_secs(5), "{waited:?}");
    worker.stop().await;
    at.close().await;
}

async fn a_panic_and_a_missed_deadline_are_failures_like_others(at: Installation) {
    let (step, _) = told(Step::Fetch, |run, _| async move {
        match run {
            1 => panic!("on purpose"),
            2 => std::future::pending().await,
            _ => done(),
        }
    });
    let worker = at.start(vec![step]);
    let id = at.add(Step::Fetch).await;
    at.ends(id, "done").await;
    assert_eq!(at.state(id).await.1, 3);
    worker.stop().await;
    at.close().await;
}

async fn a_missed_deadline_is_no_failure_where_something_was_bought(at: Installation) {
    let app = at.app.clone();
    let (step, runs) = told(Step::Transcribe, move |run, job| {
        let app = app.clone();
        async move {
            let (call, key) = (job.call_id.unwrap(), run.to_string());
            match run {
                1 | 2 => {
                    let (step, reply) = (Step::Transcribe, serde_json::json!("words"));
                    db::pieces::keep(&app.db, call, step, &key, &reply, app.clock.now()).await.unwrap();
                    std::future::pending().await
                }
                3 => std::future::pending().await,
                _ => done(),
            }
        }
    });
    let worker = at.start(vec![step]);
    let call = given::call(&at.app, Given::default()).await;
    let id = at.add_for(call.id, Step::Transcribe).await;
    at.ends(id, "done").await;
    assert_eq!(runs.load(Ordering::SeqCst), 4);
    assert_eq!(at.state(id).await.1, 2, "of the three that were cut off only the one that brought nothing counts");
    worker.stop().await;
    at.close().await;
}

async fn what_fails_for_good_is_dead_lettered_and_can_be_replayed(at: Installation) {
    let (step, _) = told(Step::Fetch, |run, _| async move {
        if run < 3 { Err(StepError::fail("not-audio", anyhow!("an error page"))) } else { done() }
    });
    let worker = at.start(vec![step]);
    let id = at.add(Step::Fetch).await;
    let buried = async |count| {
        eventually("the letters", async || at.app.queue.dead_depth(&FETCH).await.unwrap() == count).await;
    };
    at.ends(id, "dead").await;
    buried(1).await;
    let App { db, queue, clock, .. } = &at.app;
    assert_eq!(replay(db, queue, clock, &Which::Jobs(vec![id])).await.unwrap(), 1);
    eventually("it is dead again", async || at.state(id).await == ("dead".into(), 1)).await;
    buried(1).await;
    assert_eq!(replay(db, queue, clock, &Which::Dead { queue: None, reason: None, limit: 9 }).await.unwrap(), 1);
    at.ends(id, "done").await;
    buried(0).await;
    worker.stop().await;
    at.close().await;
}

async fn what_one_step_makes_due_the_next_one_does(at: Installation) {
    let (fetch, _) = told(Step::Fetch, |_, job| async move {
        let next = vec![NewJob::step(Step::Transcribe, job.call_id.unwrap(), Wake::No)];
        Ok(Outcome { next, ..Outcome::default() })
    });
    let (transcribe, runs) = told(Step::Transcribe, |_, _| async { done() });
    let worker = at.start(vec![fetch, transcribe]);
    let started = std::time::Instant::now();
    let id = at.add(Step::Fetch).await;
    at.ends(id, "done").await;
    eventually("the next step ran", async || runs.load(Ordering::SeqCst) == 1).await;
    assert!(started.elapsed() < Duration::from_secs(5), "without waiting for the dispatcher's grace");
    worker.stop().await;
    at.close().await;
}

async fn a_stopped_worker_gives_back_what_does_not_finish(at: Installation) {
    let (step, runs) = told(Step::Fetch, |_, _| std::future::pending());
    let id = at.add(Step::Fetch).await;
    let worker = at.start(vec![step]);
    eventually("it runs", async || runs.load(Ordering::SeqCst) == 1).await;
    worker.stop().await;
    assert_eq!(at.state(id).await, ("waiting".into(), 0), "no attempt is spent");
    let (step, _) = told(Step::Fetch, |_, _| async { done() });
    let worker = at.start(vec![step]);
    at.ends(id, "done").await;
    worker.stop().await;
    at.close().await;
}

async fn a_job_whose_worker_vanished_is_done_by_another(at: Installation) {
    let id = at.add(Step::Fetch).await;
    let (now, dead_worker) = (at.app.clock.now(), uuid::Uuid::now_v7());
    let until = now + chrono::TimeDelta::seconds(1);
    assert_eq!(db::jobs::claim(&at.app.db, &[id], dead_worker, now, until).await.unwrap().len(), 1);
    let (step, _) = told(Step::Fetch, |_, _| async { done() });
    let worker = at.start(vec![step]);
    at.ends(id, "done").await;
    assert_eq!(at.state(id).await.1, 2, "the try that vanished counts");
    worker.stop().await;
    at.close().await;
}

async fn a_queue_that_vanished_is_filled_again(at: Installation) {
    if at.scratch.env().var("AMQP_URL").is_none() {
        return at.close().await; // A queue in memory vanishes with its process: the next start publishes everything.
    }
    let (step, runs) = told(Step::Fetch, |_, _| async { done() });
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(at.add(Step::Fetch).await);
    }
    let stop = CancellationToken::new();
    let dispatching = tokio::spawn(workers::runner::dispatcher(&at.app).run(stop.clone()));
    eventually("all are published", async || at.app.queue.depth(&FETCH).await.is_ok_and(|depth| depth == 5)).await;
    at.scratch.delete_queues().await;
    eventually("all are published again", async || at.app.queue.depth(&FETCH).await.is_ok_and(|depth| depth == 5))
        .await;
    stop.cancel();
    dispatching.await.unwrap();
    let worker = at.start(vec![step]);
    for id in ids {
        at.ends(id, "done").await;
    }
    assert_eq!(runs.load(Ordering::SeqCst), 5);
    worker.stop().await;
    at.close().await;
}

/// Postgres says so while it shuts down, starts, or its disk is full; SQLite has no such states to put it into.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_result_outlasts_a_database_that_cannot_take_it_at_the_moment() {
    let at = Installation::new(Shape::Production).await;
    let db::Db::Postgres(pool) = at.app.db.clone() else { panic!("not Postgres") };
    for sql in [
        "create sequence refused",
        "create function refuse() returns trigger language plpgsql as $$ begin
            perform nextval('refused'); raise exception 'full' using errcode = '53100'; end $$",
        "create trigger refusing before update on calls for each row when (new.conclusion is not null)
            execute function refuse()",
    ] {
        sqlx::query(sql).execute(&pool).await.unwrap();
    }
    let call = crate::given::call(&at.app, crate::given::Given::default()).await.id;
    let (step, runs) = told(Step::Fetch, move |_, _| async move {
        let writes = vec![Write::Conclusion(call, Conclusion::Analyzed)];
        Ok(Outcome { writes, ..Outcome::default() })
    });
    let worker = at.start(vec![step]);
    let id = at.add(Step::Fetch).await;
    eventually("it was refused", async || {
        let tries: i64 = sqlx::query_scalar("select last_value from refused").fetch_one(&pool).await.unwrap();
        tries >= 4
    })
    .await;
    sqlx::query("drop trigger refusing on calls").execute(&pool).await.unwrap();
    at.ends(id, "done").await;
    assert_eq!((at.state(id).await.1, runs.load(Ordering::SeqCst)), (1, 1), "nothing was done again");
    let concluded = db::calls::find(&at.app.db, call).await.unwrap().unwrap().conclusion;
    assert_eq!(concluded, Some(Conclusion::Analyzed));
    worker.stop().await;
    at.close().await;
}

async fn one_message_may_wake_many_jobs(at: Installation) {
    let most = Arc::new(AtomicU32::new(0));
    let running = Arc::new(AtomicU32::new(0));
    let (seen, now) = (most.clone(), running.clone());
    let (step, runs) = told(Step::Fetch, move |_, _| {
        let (seen, now) = (seen.clone(), now.clone());
        async move {
            seen.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(20)).await;
            now.fetch_sub(1, Ordering::SeqCst);
            done()
        }
    });
    let mut ids = Vec::new();
    for _ in 0..30 {
        ids.push(at.add(Step::Fetch).await);
    }
    let worker = at.start(vec![step]);
    let (first, rest) = ids.split_first().unwrap();
    let wakeup = Wakeup { more: rest.to_vec(), ..Wakeup::new(*first, FETCH, None) };
    eventually("published", async || at.app.queue.publish(&wakeup).await.is_ok()).await;
    for id in ids {
        at.ends(id, "done").await;
    }
    eventually("no message is left", async || at.app.queue.depth(&FETCH).await.unwrap() == 0).await;
    worker.stop().await;
    assert_eq!(runs.load(Ordering::SeqCst), 30);
    assert!(most.load(Ordering::SeqCst) <= 4, "no more at once than the step allows");
    at.close().await;
}
