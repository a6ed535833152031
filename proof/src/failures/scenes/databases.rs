//! PostgreSQL goes away or dies under load. Webhooks get 200 or 503 with `Retry-After`, and are sent again then.

use std::time::Duration;

use proof::{Installation, POOLS, servers::Server};

use super::{at_work, brokers, deaths::UNDER_WAY};
use crate::{calls, scenario::Story};

/// Longer than ingest waits for a commit, so that some webhooks are refused.
const AWAY: Duration = Duration::from_secs(12);

/// Stopped as by an administrator; clients are cut off.
pub async fn restarted(at: &Installation) -> anyhow::Result<Story> {
    outage(at, "stop", AWAY).await
}

/// Killed: it recovers from its log.
pub async fn killed(at: &Installation) -> anyhow::Result<Story> {
    outage(at, "kill", Duration::ZERO).await
}

/// Both servers and every worker killed at the same time.
pub async fn everything(at: &Installation) -> anyhow::Result<Story> {
    let mut calls = brokers::settled(at).await?;
    brokers::slowly(at);
    calls.extend(calls::mixed(at, 8).await?);
    at_work(at, 2).await?;
    for pool in POOLS {
        at.kill(pool).await?;
    }
    tokio::try_join!(Server::Postgres.ctl("kill"), Server::RabbitMq.ctl("kill"))?;
    tokio::try_join!(Server::Postgres.ctl("start"), Server::RabbitMq.ctl("start"))?;
    at.sandbox.clear_faults();
    at.launch_workers()?;
    calls.extend(calls::mixed(at, 4).await?);
    let figures = vec![format!("{} kills", POOLS.len() + 2)];
    Ok(Story { calls, figures, refused: true, again: UNDER_WAY, ..Story::default() })
}

async fn outage(at: &Installation, verb: &str, away: Duration) -> anyhow::Result<Story> {
    let mut calls = calls::mixed(at, 6).await?;
    let load = calls::for_as_long_as(at, async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        Server::Postgres.ctl(verb).await?;
        tokio::time::sleep(away).await;
        Server::Postgres.ctl("start").await?;
        tokio::time::sleep(Duration::from_millis(700)).await;
        Ok(())
    });
    calls.extend(load.await?);
    let tally = at.sender.tally();
    let figures = vec![format!("{} of 503", tally.refusals), format!("slowest {} ms", tally.slowest.as_millis())];
    Ok(Story { calls, figures, refused: true, ..Story::default() })
}
