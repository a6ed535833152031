//! Replies that were paid for, beside the end of the job that bought them.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::json;
use shared::{
    db::{
        self, Db,
        settle::{End, Settlement},
    },
    domain::{CallId, Conclusion, Job, NewJob, Step, Wake, Write},
    testing::{Scratch, Shape},
};
use uuid::Uuid;

fn now() -> DateTime<Utc> {
    "2026-11-20T09:00:00Z".parse().unwrap()
}

async fn execute(db: &Db, sql: &'static str, call: CallId, other: Option<CallId>) {
    let other = other.map(|other| other.0);
    match db {
        Db::Postgres(pool) => drop(sqlx::query(sql).bind(call.0).bind(other).execute(pool).await.unwrap()),
        Db::Sqlite(pool) => drop(sqlx::query(sql).bind(call.0).bind(other).execute(pool).await.unwrap()),
    }
}

async fn call(db: &Db) -> CallId {
    let id = CallId::new();
    let sql = "insert into calls (id, provider, account, facts, merged_into, created_at, updated_at)
        values ($1, 'p', 'a', '{}', $2, '2026-11-20T09:00:00Z', '2026-11-20T09:00:00Z')";
    execute(db, sql, id, None).await;
    id
}

/// The job of that step, claimed by this owner.
async fn claimed(db: &Db, call: CallId, step: Step, owner: Uuid) -> Job {
    let new = NewJob::step(step, call, Wake::Yes);
    let mut tx = db.begin().await.unwrap();
    db::jobs::add(&mut tx, &[(new.clone(), None)], now(), now()).await.unwrap();
    tx.commit().await.unwrap();
    let jobs = db::jobs::claim(db, &[new.id], owner, now(), now() + Duration::from_secs(60)).await.unwrap();
    jobs.into_iter().next().unwrap()
}

async fn concluded(db: &Db, job: Job, owner: Uuid) {
    let writes = vec![Write::Conclusion(job.call_id.unwrap(), Conclusion::NoSpeech)];
    settled(db, owner, job, End::Done { skipped: Some("no-speech".into()) }, writes).await;
}

async fn settled(db: &Db, owner: Uuid, job: Job, end: End, writes: Vec<Write>) {
    let settled = Settlement { job, end, writes, next: Vec::new() };
    assert_eq!(db::settle::settle(db, owner, &[settled], now(), now()).await.unwrap().held.len(), 1);
}

async fn keep(db: &Db, call: CallId, step: Step, key: &str) {
    db::pieces::keep(db, call, step, key, &json!("words"), now()).await.unwrap();
}

async fn count(db: &Db, call: CallId, step: Step) -> usize {
    db::pieces::of(db, call, step).await.unwrap().len()
}

async fn nothing_outlives_the_job_that_it_was_bought_for(shape: Shape) {
    let scratch = Scratch::new(shape).await;
    let db = scratch.db().await;
    for step in [Step::Transcribe, Step::Analyze] {
        for _ in 0..10 {
            let (call, owner) = (call(&db).await, Uuid::now_v7());
            let job = claimed(&db, call, step, owner).await;
            keep(&db, call, step, "before").await;
            // A worker that lost its lease goes on while another one ends the job.
            let late = (0..6).map(|number| {
                let db = db.clone();
                tokio::spawn(async move { keep(&db, call, step, &format!("late {number}")).await })
            });
            let late: Vec<_> = late.collect();
            concluded(&db, job, owner).await;
            futures::future::try_join_all(late).await.unwrap();
            keep(&db, call, step, "after").await;
            assert_eq!(count(&db, call, step).await, 0);
            claimed(&db, call, step, owner).await;
            keep(&db, call, step, "anew").await;
            assert_eq!(count(&db, call, step).await, 1, "it was asked for again");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_outlives_the_job_that_it_was_bought_for_on_postgres() {
    nothing_outlives_the_job_that_it_was_bought_for(Shape::Production).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_outlives_the_job_that_it_was_bought_for_on_sqlite() {
    nothing_outlives_the_job_that_it_was_bought_for(Shape::Embedded).await;
}

#[tokio::test]
async fn a_call_has_what_was_bought_for_those_that_were_merged_into_it() {
    for shape in [Shape::Production, Shape::Embedded] {
        let scratch = Scratch::new(shape).await;
        let db = scratch.db().await;
        let (first, second, owner) = (call(&db).await, call(&db).await, Uuid::now_v7());
        execute(&db, "update calls set merged_into = $2 where id = $1", second, Some(first)).await;
        keep(&db, second, Step::Transcribe, "a piece").await;
        keep(&db, first, Step::Analyze, "a part").await;
        assert_eq!((count(&db, first, Step::Transcribe).await, count(&db, first, Step::Analyze).await), (1, 1));
        db::pieces::discard(&db, first, &["a piece".to_owned()]).await.unwrap();
        assert_eq!((count(&db, first, Step::Transcribe).await, count(&db, first, Step::Analyze).await), (0, 1));
        keep(&db, second, Step::Analyze, "another part").await;
        let job = claimed(&db, first, Step::Analyze, owner).await;
        concluded(&db, job, owner).await;
        assert_eq!((count(&db, first, Step::Analyze).await, count(&db, second, Step::Analyze).await), (0, 0));
    }
}

#[tokio::test]
async fn what_is_bought_anew_for_a_call_with_a_conclusion_outlives_its_snoozes_and_what_else_is_done_for_it() {
    for shape in [Shape::Production, Shape::Embedded] {
        let scratch = Scratch::new(shape).await;
        let db = scratch.db().await;
        let (first, second, owner) = (call(&db).await, call(&db).await, Uuid::now_v7());
        execute(&db, "update calls set merged_into = $2 where id = $1", second, Some(first)).await;
        for step in [Step::Transcribe, Step::Analyze] {
            let sql = "update calls set conclusion = 'not-analyzed' where id in ($1, $2)";
            execute(&db, sql, first, Some(second)).await;
            let job = claimed(&db, first, step, owner).await;
            keep(&db, first, step, "anew").await;
            keep(&db, second, step, "anew, too").await;
            let none = || End::Done { skipped: None };
            let fetching = claimed(&db, first, Step::Fetch, owner).await;
            settled(&db, owner, fetching, none(), Vec::new()).await;
            let late = claimed(&db, second, Step::Fetch, owner).await;
            settled(&db, owner, late, none(), vec![Write::Conclusion(second, Conclusion::NotRecorded)]).await;
            let (reason, error) = ("long-work".into(), "goes on where it is".into());
            let snooze = End::Again { due_at: now(), counts: false, verdict: "snooze", reason, error };
            settled(&db, owner, job, snooze, Vec::new()).await;
            assert_eq!(count(&db, first, step).await, 2, "{step:?}");
            let job = claimed(&db, first, step, owner).await;
            concluded(&db, job, owner).await;
            assert_eq!(count(&db, first, step).await, 0, "{step:?}");
        }
    }
}
