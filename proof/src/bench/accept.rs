//! Webhooks accepted per second, next to single-row inserts into the same Postgres by as many clients, one commit each.

#![expect(clippy::print_stdout, reason = "the figures are the answer")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use shared::{clock::Clock, env::Env};
use sqlx::postgres::PgPoolOptions;
use tokio::task::JoinSet;

use crate::{
    load::{as_fast_as_possible, at_rate},
    peak,
    stage::{self, ms},
};

/// Prints the figures.
pub async fn run(seconds: u64) -> anyhow::Result<()> {
    let time = Duration::from_secs(seconds);
    let (scratch, env) = stage::scratch().await;
    let (ingest, address) = stage::ingest(&scratch, &env).await?;
    let target = stage::call_ended(address);
    println!("webhooks accepted (each durable before its answer)");
    as_fast_as_possible(target.clone(), 16, Duration::from_secs(2)).await?;
    for clients in [16, 64, 256] {
        let inserts = single_inserts(&env, clients, time).await?;
        let report = as_fast_as_possible(target.clone(), clients, time).await?;
        println!(
            "  {clients:3} clients   {:7.0}/s   p50 {:6.2} ms   p99 {:6.2} ms   | single-row inserts {inserts:7.0}/s   ratio {:.2}",
            report.rate,
            ms(report.quantile(0.5)),
            ms(report.quantile(0.99)),
            report.rate / inserts
        );
    }
    let paced = at_rate(target, 128, 1000, time).await?;
    println!(
        "  at 1,000/s    {:7.0}/s   p50 {:6.2} ms   p99 {:6.2} ms   max {:.2} ms",
        paced.rate,
        ms(paced.quantile(0.5)),
        ms(paced.quantile(0.99)),
        ms(paced.quantile(1.0))
    );
    println!("  peak memory of ingest under this load: {:.1} MiB\n", peak::memory(stage::pid(&ingest)?)?);
    ingest.terminate(Duration::from_secs(30)).await?;
    Ok(())
}

/// What Postgres does by itself: a row of the same size with the same unique key, one commit each.
async fn single_inserts(env: &Env, clients: usize, time: Duration) -> anyhow::Result<f64> {
    let url = env.required("DATABASE_URL")?;
    let pool = PgPoolOptions::new().max_connections(u32::try_from(clients)?).connect(url).await?;
    let table =
        "create table if not exists inserts (id bigint primary key, body bytea not null, at timestamptz not null)";
    sqlx::query(table).execute(&pool).await?;
    let (next, done) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let offset = clients as u64 * 1_000_000_000;
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..clients {
        let (pool, next, done) = (pool.clone(), next.clone(), done.clone());
        tasks.spawn(async move {
            let mut connection = pool.acquire().await?;
            while start.elapsed() < time {
                let number = offset + next.fetch_add(1, Ordering::Relaxed);
                let body = stage::call(number).into_bytes();
                let insert = sqlx::query("insert into inserts (id, body, at) values ($1, $2, $3)");
                let at = Clock::system().now();
                insert.bind(number.cast_signed()).bind(body).bind(at).execute(&mut *connection).await?;
                done.fetch_add(1, Ordering::Relaxed);
            }
            anyhow::Ok(())
        });
    }
    while let Some(task) = tasks.join_next().await {
        task??;
    }
    let rate = done.load(Ordering::Relaxed) as f64 / start.elapsed().as_secs_f64();
    pool.close().await;
    Ok(rate)
}
