//! Our own processes die, or are asked to go, in the middle of their work.

use std::time::Duration;

use anyhow::ensure;
use proof::{INGEST, Installation, POOLS, until};
use sandbox::{Fault, FaultKind, State, Vendor};
use sqlx::{Connection, PgConnection};

use super::running;
use crate::{
    calls::{self, Bought},
    scenario::Story,
};

/// Calls per kill.
const CALLS: usize = 6;
/// Longer than anybody here lives on.
const HANG: u64 = 60_000;
/// What one process of each pool may have under way, and has to ask for again when it is killed: its jobs, and in transcribe
/// four requests of each.
pub const UNDER_WAY: Bought = Bought { speech: 4 * 4, judgements: 8 };
const SOON: Duration = Duration::from_secs(40);
/// DRAIN_SECONDS, and what comes after.
const DRAINED: Duration = Duration::from_secs(15);

/// Webhooks whose connection breaks are sent again.
pub async fn ingest(at: &Installation) -> anyhow::Result<Story> {
    const KILLS: usize = 3;
    let calls = calls::for_as_long_as(at, async {
        for _ in 0..KILLS {
            tokio::time::sleep(Duration::from_millis(600)).await;
            at.kill(INGEST).await?;
            at.launch(INGEST)?;
        }
        tokio::time::sleep(Duration::from_millis(600)).await;
        Ok(())
    });
    let calls = calls.await?;
    let unanswered = format!("{} connections broken or refused", at.sender.tally().unanswered);
    Ok(Story { calls, figures: vec![kills(KILLS), unanswered], unanswered: true, ..Story::default() })
}

/// Intake asks nobody outside, so its database holds it up.
pub async fn intake(at: &Installation) -> anyhow::Result<Story> {
    let mut story = Story { figures: vec![kills(2)], ..Story::default() };
    for _ in 0..2 {
        let mut connection = PgConnection::connect(at.env().required("DATABASE_URL")?).await?;
        let mut lock = connection.begin().await?;
        sqlx::query("lock table calls in exclusive mode").execute(&mut *lock).await?;
        story.calls.extend(calls::recorded(at, CALLS).await?);
        in_the_middle(at, "intake").await?;
        at.kill("intake").await?;
        lock.rollback().await?;
        at.launch("intake")?;
    }
    Ok(story)
}

/// Killed while the provider hangs.
pub async fn fetch(at: &Installation) -> anyhow::Result<Story> {
    let hang = Fault::new(Vendor::Cloudtalk, FaultKind::Hang { ms: HANG });
    let calls = killed_twice(at, "fetch", [hang.clone(), hang], |_| 0).await?;
    Ok(Story { calls, figures: vec![kills(2)], ..Story::default() })
}

/// Killed before and after the words were paid for.
pub async fn transcribe(at: &Installation) -> anyhow::Result<Story> {
    let [hang, late] = around(|kind| Fault::new(Vendor::Openai, kind).path("/audio"));
    let calls = killed_twice(at, "transcribe", [hang, late], |state| state.openai.transcriptions).await?;
    let figures = vec![kills(2), format!("{} requests at the kill", at.sandbox.state().openai.transcriptions)];
    // The first kill came before anything was answered.
    Ok(Story { calls, figures, again: Bought { speech: UNDER_WAY.speech, judgements: 0 }, ..Story::default() })
}

/// Killed before and after the judgement was paid for.
pub async fn analyze(at: &Installation) -> anyhow::Result<Story> {
    let [hang, late] = around(|kind| Fault::new(Vendor::Openai, kind).path("/chat"));
    let calls = killed_twice(at, "analyze", [hang, late], |state| state.openai.chats).await?;
    let figures = vec![kills(2), format!("{} judgements at the kill", at.sandbox.state().openai.chats)];
    Ok(Story { calls, figures, again: Bought { speech: 0, judgements: UNDER_WAY.judgements }, ..Story::default() })
}

/// Killed before and after notes were written.
pub async fn gohighlevel(at: &Installation) -> anyhow::Result<Story> {
    let [hang, late] = around(|kind| Fault::new(Vendor::Ghl, kind).method("POST").path("/notes"));
    let notes = |state: &State| state.ghl.contacts.iter().map(|contact| contact.notes.len() as u64).sum();
    let calls = killed_twice(at, "sync.gohighlevel", [hang, late], notes).await?;
    Ok(Story { calls, figures: vec![kills(2)], ..Story::default() })
}

/// Killed before and after records were written.
pub async fn callmind(at: &Installation) -> anyhow::Result<Story> {
    let [hang, late] = around(|kind| Fault::new(Vendor::Callmind, kind));
    let records = |state: &State| state.callmind.records.len() as u64;
    let calls = killed_twice(at, "sync.callmind", [hang, late], records).await?;
    Ok(Story { calls, figures: vec![kills(2)], ..Story::default() })
}

/// What hangs at the vendors outlasts the drain and is given back, without an attempt being spent.
pub async fn sigterm(at: &Installation) -> anyhow::Result<Story> {
    at.sandbox.fault(Fault::new(Vendor::Openai, FaultKind::Hang { ms: HANG }).path("/audio").times(4));
    at.sandbox.fault(Fault::new(Vendor::Ghl, FaultKind::ReplyLate { ms: HANG }).method("POST").path("/notes").times(4));
    at.sandbox.fault(Fault::new(Vendor::Callmind, FaultKind::ReplyLate { ms: HANG }).times(4));
    at.sandbox.fault(Fault::new(Vendor::Cloudtalk, FaultKind::Hang { ms: 2_000 }).times(4));
    let mut calls = calls::mixed(at, 16).await?;
    for stuck in ["transcribe", "sync.gohighlevel", "sync.callmind"] {
        in_the_middle(at, stuck).await?;
    }
    let began = tokio::time::Instant::now();
    at.terminate_workers(DRAINED).await?;
    let took = began.elapsed();
    let sql = "select count(*) filter (where state = 'running'), count(*) filter (where reason = 'drained'),
        count(*) filter (where reason = 'drained' and attempt > 0), (select count(*) from failures) from jobs";
    let (held, back, spent, failures): (i64, i64, i64, i64) = sqlx::query_as(sql).fetch_one(at.pool()).await?;
    ensure!(held == 0, "{held} jobs are still held by processes that have ended");
    ensure!(back > 0, "nothing was given back: the work was over before the stop");
    ensure!(spent == 0 && failures == 0, "{spent} attempts were spent and {failures} failures noted by a stop");
    at.sandbox.clear_faults();
    at.launch_workers()?;
    calls.extend(calls::mixed(at, 4).await?);
    let figures = vec![
        format!("{} processes drained in {:.1} s", POOLS.len(), took.as_secs_f64()),
        format!("{back} jobs given back"),
    ];
    Ok(Story { calls, figures, ..Story::default() })
}

/// The same fault before and after the vendor has done what it was asked.
fn around(fault: impl Fn(FaultKind) -> Fault) -> [Fault; 2] {
    [fault(FaultKind::Hang { ms: HANG }), fault(FaultKind::ReplyLate { ms: HANG })]
}

/// Twice: calls are placed, the pool gets stuck, and is killed; a new process goes on. Of the second time it is also waited for that the vendor has done something, as `done` counts.
async fn killed_twice(
    at: &Installation,
    pool: &'static str,
    stuck: [Fault; 2],
    done: impl Fn(&State) -> u64,
) -> anyhow::Result<Vec<calls::Placed>> {
    let mut placed = Vec::new();
    for fault in stuck {
        let late = matches!(fault.fault, FaultKind::ReplyLate { .. });
        let before = done(&at.sandbox.state());
        at.sandbox.fault(fault);
        placed.extend(calls::recorded(at, CALLS).await?);
        in_the_middle(at, pool).await?;
        if late {
            until("the vendor has done something", SOON, async || done(&at.sandbox.state()) > before).await?;
        }
        at.kill(pool).await?;
        at.sandbox.clear_faults();
        at.launch(pool)?;
    }
    Ok(placed)
}

async fn in_the_middle(at: &Installation, pool: &str) -> anyhow::Result<()> {
    until("jobs run in the pool", SOON, async || running(at, pool).await >= 2).await
}

fn kills(count: usize) -> String {
    format!("{count} kills")
}
