//! Leases: kept as long as a step runs, and what becomes of it once somebody else has its job.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use shared::{
    db::{self, Db},
    domain::{Conclusion, JobId, Outcome, Step, Write},
    testing::{Shape, eventually},
};
use tokio::sync::Notify;
use uuid::Uuid;

use super::{Installation, done, told::told_within};
use crate::given::{self, Given};

in_both_shapes! {
    a_step_that_takes_three_leases_runs_once,
    the_work_of_who_lost_its_lease_is_dropped_and_settles_nothing,
    who_finishes_after_its_job_was_taken_writes_nothing,
}

/// LEASE_SECONDS of these tests.
const LEASE: TimeDelta = TimeDelta::seconds(1);
/// Longer than anything here is waited for: what is dropped was not out of time.
const DEADLINE: Duration = Duration::from_secs(600);

/// Who has a job, until when, and how often it was claimed and tried.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
struct Held {
    state: String,
    owner: Option<Uuid>,
    lease_until: Option<DateTime<Utc>>,
    claims: i32,
    attempt: i32,
}

impl Installation {
    async fn held(&self, job: JobId) -> Held {
        let sql = "select state, owner, lease_until, claims, attempt from jobs where id = $1";
        match &self.app.db {
            Db::Postgres(pool) => sqlx::query_as(sql).bind(job.0).fetch_one(pool).await.unwrap(),
            Db::Sqlite(pool) => sqlx::query_as(sql).bind(job.0).fetch_one(pool).await.unwrap(),
        }
    }

    async fn failures(&self) -> i64 {
        let sql = "select count(*) from failures";
        match &self.app.db {
            Db::Postgres(pool) => sqlx::query_scalar(sql).fetch_one(pool).await.unwrap(),
            Db::Sqlite(pool) => sqlx::query_scalar(sql).fetch_one(pool).await.unwrap(),
        }
    }

    /// Gives a job that runs to another worker, as when its lease had run out and that one claimed it.
    async fn take_away(&self, job: JobId) -> Held {
        let (thief, until) = (Uuid::now_v7(), self.app.clock.now() + TimeDelta::seconds(60));
        let sql = "update jobs set owner = $2, lease_until = $3, claims = claims + 1, attempt = attempt + 1
            where id = $1 and state = 'running'";
        let taken = match &self.app.db {
            Db::Postgres(pool) => {
                sqlx::query(sql).bind(job.0).bind(thief).bind(until).execute(pool).await.unwrap().rows_affected()
            }
            Db::Sqlite(pool) => {
                sqlx::query(sql).bind(job.0).bind(thief).bind(until).execute(pool).await.unwrap().rows_affected()
            }
        };
        assert_eq!(taken, 1, "it runs");
        let held = self.held(job).await;
        assert_eq!((held.owner, held.claims), (Some(thief), 2));
        held
    }
}

async fn a_step_that_takes_three_leases_runs_once(at: Installation) {
    let finish = Arc::new(Notify::new());
    let told_to = finish.clone();
    let (step, runs) = told_within(DEADLINE, Step::Fetch, move |_, _| {
        let told_to = told_to.clone();
        async move {
            told_to.notified().await;
            done()
        }
    });
    let id = at.add(Step::Fetch).await;
    let worker = at.start(vec![step]);
    eventually("it runs", async || runs.load(Ordering::SeqCst) == 1).await;
    let claimed = at.held(id).await;
    let third = claimed.lease_until.unwrap() + LEASE * 3;
    eventually("three leases have passed", async || at.held(id).await.lease_until.is_none_or(|u| u > third)).await;
    let held = at.held(id).await;
    assert_eq!(held, Held { lease_until: held.lease_until, ..claimed }, "the same worker's, claimed once");
    finish.notify_one();
    at.ends(id, "done").await;
    worker.stop().await;
    assert_eq!((runs.load(Ordering::SeqCst), at.held(id).await.claims), (1, 1));
    at.close().await;
}

/// Says when it goes.
struct Gone(Arc<AtomicBool>);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

async fn the_work_of_who_lost_its_lease_is_dropped_and_settles_nothing(at: Installation) {
    let gone = Arc::new(AtomicBool::new(false));
    let work = gone.clone();
    let (step, runs) = told_within(DEADLINE, Step::Fetch, move |_, _| {
        let work = Gone(work.clone());
        async move {
            let _work = work;
            std::future::pending().await
        }
    });
    let id = at.add(Step::Fetch).await;
    let worker = at.start(vec![step]);
    eventually("it runs", async || runs.load(Ordering::SeqCst) == 1).await;
    assert!(!gone.load(Ordering::SeqCst));
    let taken = at.take_away(id).await;
    eventually("it is told to stop", async || gone.load(Ordering::SeqCst)).await;
    worker.stop().await;
    assert_eq!(at.held(id).await, taken, "the other has it as before");
    assert_eq!((runs.load(Ordering::SeqCst), at.failures().await), (1, 0));
    at.close().await;
}

async fn who_finishes_after_its_job_was_taken_writes_nothing(at: Installation) {
    let call = given::call(&at.app, Given::default()).await.id;
    let finish = Arc::new(Notify::new());
    let told_to = finish.clone();
    let (step, runs) = told_within(DEADLINE, Step::Fetch, move |_, _| {
        let told_to = told_to.clone();
        async move {
            told_to.notified().await;
            Ok(Outcome { writes: vec![Write::Conclusion(call, Conclusion::Analyzed)], ..Outcome::default() })
        }
    });
    let id = at.add_for(call, Step::Fetch).await;
    let worker = at.start(vec![step]);
    eventually("it runs", async || runs.load(Ordering::SeqCst) == 1).await;
    let taken = at.take_away(id).await;
    finish.notify_one();
    worker.stop().await;
    assert_eq!(at.held(id).await, taken, "the other has it as before");
    assert_eq!(db::calls::find(&at.app.db, call).await.unwrap().unwrap().conclusion, None);
    at.close().await;
}
