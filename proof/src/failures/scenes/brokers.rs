//! RabbitMQ goes away, dies, forgets everything.

use std::time::Duration;

use proof::{Installation, servers::Server};
use sandbox::{Fault, FaultKind, Vendor};

use super::at_work;
use crate::{
    calls::{self, Placed},
    scenario::Story,
};

const AWAY: Duration = Duration::from_secs(60);
/// RabbitMQ 3.10 keeps the list of its quorum queues in a file that it writes some 3 s late. Killed before that, it comes
/// back with a new queue that is there, empty, and never elects a leader: nothing that a client does mends it.
const WRITTEN_DOWN: Duration = Duration::from_secs(6);

/// Away for a minute; webhooks are accepted all the same.
pub async fn stopped(at: &Installation) -> anyhow::Result<Story> {
    let mut calls = calls::mixed(at, 6).await?;
    Server::RabbitMq.ctl("stop").await?;
    let began = tokio::time::Instant::now();
    while began.elapsed() < AWAY {
        calls.extend(calls::mixed(at, 2).await?);
        tokio::time::sleep(AWAY / 6).await;
    }
    let slowest = at.sender.tally().slowest;
    let away = began.elapsed().as_secs();
    Server::RabbitMq.ctl("start").await?;
    let figures = vec![format!("away {away} s"), format!("slowest answer {} ms", slowest.as_millis())];
    Ok(Story { calls, figures, ..Story::default() })
}

/// Killed under load, started again.
pub async fn killed(at: &Installation) -> anyhow::Result<Story> {
    let mut calls = settled(at).await?;
    slowly(at);
    calls.extend(calls::mixed(at, 8).await?);
    at_work(at, 2).await?;
    Server::RabbitMq.ctl("kill").await?;
    calls.extend(calls::mixed(at, 4).await?);
    Server::RabbitMq.ctl("start").await?;
    calls.extend(calls::mixed(at, 4).await?);
    at.sandbox.clear_faults();
    Ok(Story { calls, figures: vec!["1 kill".to_owned()], ..Story::default() })
}

/// All queues and messages gone, with work in every state of progress.
pub async fn wiped(at: &Installation) -> anyhow::Result<Story> {
    slowly(at);
    let mut calls = calls::mixed(at, 12).await?;
    at_work(at, 2).await?;
    Server::RabbitMq.ctl("stop").await?;
    Server::RabbitMq.ctl("wipe").await?;
    calls.extend(calls::mixed(at, 4).await?);
    Server::RabbitMq.ctl("start").await?;
    at.sandbox.clear_faults();
    Ok(Story { calls, ..Story::default() })
}

/// Some calls, and time for the broker to write down that it has queues.
pub async fn settled(at: &Installation) -> anyhow::Result<Vec<Placed>> {
    let calls = calls::mixed(at, 4).await?;
    tokio::time::sleep(WRITTEN_DOWN).await;
    Ok(calls)
}

/// So that there is work in flight when the broker goes.
pub fn slowly(at: &Installation) {
    at.sandbox.fault(Fault::new(Vendor::Openai, FaultKind::Hang { ms: 1_500 }));
    at.sandbox.fault(Fault::new(Vendor::Ghl, FaultKind::Hang { ms: 200 }));
}
