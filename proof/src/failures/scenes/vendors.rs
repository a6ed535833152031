//! The outside fails: lost replies, a CRM that is down, an object store out of reach.

use std::time::Duration;

use anyhow::ensure;
use proof::{Installation, until};
use sandbox::{Fault, FaultKind, Vendor};
use shared::{budgets::OPEN_AFTER, db::jobs};

use crate::{calls, scenario::Story};

/// Longer than the first ten waits between retries, shortened to 1/500: 31 s, and with all their jitter 37.2 s.
const CRM_DOWN: Duration = Duration::from_secs(38);
/// Tries of all jobs together meanwhile: five to open the circuit, by then as many more under way as the pool holds, and its
/// probes 5, 10 and 20 s after one another. Without it, each job would have had its ten.
const SPARED: i64 = OPEN_AFTER + 8 + 4;
const SOON: Duration = Duration::from_secs(60);
const STORE_AWAY: Duration = Duration::from_secs(12);

/// Notes, contacts and records are written, and nobody hears of it. Four of a vendor's at a time, as from the fifth failure
/// in a row on a vendor is paused.
pub async fn replies_lost(at: &Installation) -> anyhow::Result<Story> {
    let mut calls = Vec::new();
    let lose = |vendor, path, times| {
        at.sandbox.fault(Fault::new(vendor, FaultKind::ReplyLost).method("POST").path(path).times(times));
    };
    for round in 1..=2 {
        lose(Vendor::Ghl, "/notes", 2);
        lose(Vendor::Ghl, if round == 1 { "/contacts" } else { "/notes" }, 2);
        lose(Vendor::Callmind, "", 4);
        calls.extend(calls::mixed(at, 8).await?);
        until("the replies are lost", SOON, async || lost(at) == round * 8).await?;
        until("nothing is left to do", SOON, async || jobs::unfinished(&at.db).await.is_ok_and(|left| left == 0))
            .await?;
    }
    Ok(Story { calls, figures: vec![format!("{} replies lost", lost(at))], ..Story::default() })
}

fn lost(at: &Installation) -> usize {
    at.sandbox.ledger().iter().filter(|line| line.fault.as_deref() == Some("reply_lost")).count()
}

/// One CRM answers 503; the other has everything before it is back. Nobody has ten tries meanwhile: after five failures in a
/// row the circuit lets one through at a time, seconds apart, and snoozes the others, which uses up none of theirs.
pub async fn crm_down(at: &Installation) -> anyhow::Result<Story> {
    at.sandbox.fault(Fault::status(Vendor::Ghl, 503));
    let began = tokio::time::Instant::now();
    let calls = calls::mixed(at, 12).await?;
    until("the other sink has every record", CRM_DOWN, async || at.sandbox.state().callmind.records.len() == 12)
        .await?;
    let meanwhile = began.elapsed();
    tokio::time::sleep(CRM_DOWN.saturating_sub(meanwhile)).await;
    let asked = at.sandbox.asked(Vendor::Ghl, "").len();
    let sql =
        "select count(*), coalesce(max(j.attempt), 0), (select count(*) from jobs where queue = 'sync.gohighlevel')
        from failures f join jobs j on j.id = f.job_id where j.queue = 'sync.gohighlevel'";
    let (tries, most, waiting): (i64, i32, i64) = sqlx::query_as(sql).fetch_one(at.pool()).await?;
    let paused: i64 = sqlx::query_scalar("select paused_until from budgets where vendor = 'gohighlevel'")
        .fetch_one(at.pool())
        .await?;
    ensure!(paused > 0, "the circuit of a CRM that is down did not open");
    ensure!(at.sandbox.state().ghl.contacts.is_empty(), "a CRM that is down holds something");
    ensure!(tries >= OPEN_AFTER, "{tries} tries failed: not even enough to open the circuit");
    ensure!(tries <= SPARED, "{tries} tries failed: a CRM that is down was hammered");
    at.sandbox.clear_faults();
    let figures = vec![
        format!("down {} s", CRM_DOWN.as_secs()),
        format!("asked {asked} times by {waiting} jobs in {tries} tries meanwhile, at most {most} of one job"),
        format!("the other sink had all after {:.1} s", meanwhile.as_secs_f64()),
    ];
    Ok(Story { calls, figures, ..Story::default() })
}

/// Connections to the object store break and are refused, uploads and downloads half done.
pub async fn store_away(at: &Installation) -> anyhow::Result<Story> {
    let mut calls = calls::mixed(at, 4).await?;
    at.store.shut();
    calls.extend(calls::mixed(at, 8).await?);
    tokio::time::sleep(STORE_AWAY).await;
    at.store.open();
    Ok(Story { calls, figures: vec![format!("away {} s", STORE_AWAY.as_secs())], ..Story::default() })
}
