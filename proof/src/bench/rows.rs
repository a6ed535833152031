//! What claiming, settling and dispatching cost with few and with many finished jobs in the table.

#![expect(clippy::print_stdout, reason = "the figures are the answer")]

use std::time::Instant;

use chrono::TimeDelta;
use shared::{
    clock::Clock,
    db::{
        self, Db,
        settle::{End, Settlement, settle},
    },
    domain::{CallId, NewJob, Step, Wake},
    testing::{Scratch, Shape},
};
use uuid::Uuid;

use crate::stage::ms;

const ROUNDS: u32 = 300;

/// Prints the figures.
pub async fn run() -> anyhow::Result<()> {
    println!("claim, settle and dispatch with finished jobs in the table (one job at a time, mean of {ROUNDS})");
    let scratch = Scratch::new(Shape::Production).await;
    let db = scratch.db().await;
    let mut there = 0;
    for finished in [1_000i64, 1_000_000] {
        fill(&db, there, finished).await?;
        there = finished;
        measure(&db, finished).await?;
    }
    println!();
    db.close().await;
    Ok(())
}

async fn fill(db: &Db, from: i64, to: i64) -> anyhow::Result<()> {
    let Db::Postgres(pool) = db else { return Ok(()) };
    let sql = "insert into jobs (id, step, queue, call_id, state, due_at, attempt, claims, snoozes, again, created_at, finished_at)
        select gen_random_uuid(), 'fetch', 'fetch', gen_random_uuid(), 'done', now(), 1, 1, 0, false, now(), now()
        from generate_series($1::bigint + 1, $2::bigint)";
    sqlx::query(sql).bind(from).bind(to).execute(pool).await?;
    sqlx::query("vacuum analyze jobs").execute(pool).await?;
    Ok(())
}

async fn measure(db: &Db, finished: i64) -> anyhow::Result<()> {
    let (clock, owner) = (Clock::system(), Uuid::now_v7());
    let (mut claims, mut settles, mut looks) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let now = clock.now();
        let job = NewJob::step(Step::Fetch, CallId::new(), Wake::No);
        let mut tx = db.begin().await?;
        db::jobs::add(&mut tx, &[(job.clone(), None)], now, now).await?;
        tx.commit().await?;

        let started = Instant::now();
        let mut tx = db.begin().await?;
        let due: Vec<_> = db::jobs::due(db, &mut tx, 500, now).await?.into_iter().map(|due| due.id).collect();
        db::jobs::published(&mut tx, &due).await?;
        tx.commit().await?;
        db::jobs::next_due(db).await?;
        looks.push(started.elapsed());

        let started = Instant::now();
        let claimed = db::jobs::claim(db, &[job.id], owner, now, now + TimeDelta::seconds(60)).await?;
        claims.push(started.elapsed());

        let started = Instant::now();
        for job in claimed {
            let end = End::Done { skipped: None };
            let settlement = Settlement { job, end, writes: Vec::new(), next: Vec::new() };
            settle(db, owner, &[settlement], now, now).await?;
        }
        settles.push(started.elapsed());
    }
    let mean = |times: &[std::time::Duration]| ms(times.iter().sum::<std::time::Duration>() / ROUNDS);
    println!(
        "  {finished:9} finished   dispatch {:.2} ms   claim {:.2} ms   settle {:.2} ms",
        mean(&looks),
        mean(&claims),
        mean(&settles)
    );
    Ok(())
}
