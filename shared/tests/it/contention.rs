//! Several workers at the same rows of Postgres, which has many writers (SQLite has one).
#![expect(clippy::unwrap_used, reason = "tests may panic")]

use chrono::{DateTime, TimeDelta, Utc};
use shared::{
    clock::Clock,
    db::{
        self, Db,
        settle::{End, Settlement, settle},
    },
    domain::{CallId, Job, JobId, NewJob, SinkId, Step, Wake},
    testing::{Scratch, Shape},
};
use uuid::Uuid;

fn now() -> DateTime<Utc> {
    Clock::system().now()
}

fn sync() -> NewJob {
    NewJob::sync(CallId::new(), SinkId::new("callmind"))
}

async fn add(db: &Db, jobs: &[NewJob]) -> sqlx::Result<()> {
    let batch: Vec<_> = jobs.iter().map(|job| (job.clone(), None)).collect();
    let mut tx = db.begin().await?;
    db::jobs::add(&mut tx, &batch, now(), now()).await?;
    tx.commit().await
}

async fn claim(db: &Db, id: JobId, owner: Uuid) -> Job {
    let claimed = db::jobs::claim(db, &[id], owner, now(), now() + TimeDelta::seconds(60)).await.unwrap();
    claimed.into_iter().next().expect("it is due")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_workers_that_wake_each_others_jobs_do_not_wait_for_each_other() {
    let scratch = Scratch::new(Shape::Production).await;
    let db = scratch.db().await;
    let owner = Uuid::now_v7();
    let (a, b) = (sync(), sync());
    for _ in 0..60 {
        add(&db, &[a.clone(), b.clone()]).await.unwrap();
        let settling = |job: Job, wakes: NewJob| {
            let db = db.clone();
            let settlement =
                Settlement { job, end: End::Done { skipped: None }, writes: Vec::new(), next: vec![wakes] };
            async move { settle(&db, owner, &[settlement], now(), now()).await.map(drop) }
        };
        let (first, second) = (claim(&db, a.id, owner).await, claim(&db, b.id, owner).await);
        let both = tokio::join!(tokio::spawn(settling(first, b.clone())), tokio::spawn(settling(second, a.clone())));
        both.0.unwrap().unwrap();
        both.1.unwrap().unwrap();
    }
    db.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_events_of_a_call_make_its_jobs_due_without_waiting_for_each_other() {
    let scratch = Scratch::new(Shape::Production).await;
    let db = scratch.db().await;
    for _ in 0..60 {
        let call = CallId::new();
        let sync = || NewJob::sync(call, SinkId::new("callmind"));
        let ended = [NewJob::step(Step::Fetch, call, Wake::No), sync()];
        let recorded = [NewJob::step(Step::Fetch, call, Wake::Yes), sync()];
        let adding = |jobs: [NewJob; 2]| {
            let db = db.clone();
            async move { add(&db, &jobs).await }
        };
        let both = tokio::join!(tokio::spawn(adding(ended)), tokio::spawn(adding(recorded)));
        both.0.unwrap().unwrap();
        both.1.unwrap().unwrap();
    }
    db.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backlog_is_claimed_woken_and_noted_at_the_same_time() {
    let scratch = Scratch::new(Shape::Production).await;
    let db = scratch.db().await;
    let mut backlog: Vec<NewJob> = (0..400).map(|_| sync()).collect();
    let grace = now() + TimeDelta::hours(1);
    for round in 0..20 {
        // Rows lie in another order than their ids, and in another one each time.
        backlog.sort_by_key(|job| job.id.0.as_u128().rotate_left(round * 7));
        for some in backlog.chunks(40) {
            let batch: Vec<_> = some.iter().map(|job| (job.clone(), None)).collect();
            let mut tx = db.begin().await.unwrap();
            db::jobs::add(&mut tx, &batch, now(), grace).await.unwrap();
            tx.commit().await.unwrap();
        }
        let ids: Vec<JobId> = backlog.iter().map(|job| job.id).collect();
        let published: Vec<_> = ids.iter().map(|id| (*id, grace)).collect();
        let noting = async { db::jobs::note_published(&db, &published).await };
        let waking = async {
            let batch: Vec<_> = backlog.iter().take(60).map(|job| (job.clone(), None)).collect();
            let mut tx = db.begin().await?;
            db::jobs::add(&mut tx, &batch, now(), grace).await?;
            tx.commit().await
        };
        let claiming = futures::future::try_join_all(ids.chunks(64).map(|some| {
            let mut some = some.to_vec();
            some.sort();
            let db = &db;
            async move {
                let claimed = db::jobs::claim(db, &some, Uuid::now_v7(), now(), now()).await?;
                sqlx::Result::Ok(claimed.len())
            }
        }));
        let ((), (), claimed) = tokio::try_join!(noting, waking, claiming).unwrap();
        assert_eq!(claimed.iter().sum::<usize>(), backlog.len(), "every one is claimed");
        db::jobs::release_all(&db, now() - TimeDelta::seconds(1)).await.unwrap();
        db::jobs::expire(&db, 1000, now() + TimeDelta::seconds(1)).await.unwrap();
    }
    db.close().await;
}
