//! The stories, by who suffers: [`deaths`] of our processes, [`senders`] of webhooks, [`vendors`], [`brokers`],
//! [`databases`].

pub mod brokers;
pub mod databases;
pub mod deaths;
pub mod senders;
pub mod vendors;

use std::time::Duration;

use proof::{Installation, until};

/// Jobs of a queue that run at this moment.
async fn running(at: &Installation, queue: &str) -> i64 {
    let sql = "select count(*) from jobs where state = 'running' and queue = $1";
    sqlx::query_scalar(sql).bind(queue).fetch_one(at.pool()).await.unwrap_or_default()
}

/// Waits until so many jobs run at the same time, whatever their step.
async fn at_work(at: &Installation, jobs: i64) -> anyhow::Result<()> {
    until("work is in hand", Duration::from_secs(30), async || {
        let sql = "select count(*) from jobs where state = 'running'";
        sqlx::query_scalar::<_, i64>(sql).fetch_one(at.pool()).await.is_ok_and(|running| running >= jobs)
    })
    .await
}
