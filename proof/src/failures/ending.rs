//! The end of every scenario: all work done, nothing lost, nothing doubled, nothing left behind.

use std::time::Duration;

use anyhow::{Context, bail, ensure};
use proof::{Installation, until};
use shared::{
    db::{calls, jobs},
    domain::{Conclusion, ProviderId},
    queue::Queue,
};

use crate::{
    calls::{Bought, Placed},
    held,
    scenario::Story,
};

/// All that is left to do gets this long. An open circuit may pause a vendor for most of it.
const PATIENCE: Duration = Duration::from_secs(90);
/// Messages that nobody needs any more get this long to be acknowledged.
const QUEUES_EMPTY: Duration = Duration::from_secs(20);

/// Waits for the end and checks it.
///
/// # Errors
/// What is wrong.
pub async fn check(at: &Installation, story: &Story) -> anyhow::Result<()> {
    let left = until("every call is concluded and nothing is left to do", PATIENCE, async || {
        matches!(left(at, &story.calls).await, Ok(0)) || dead(at).await.is_ok_and(|dead| dead > 0)
    });
    if let Err(slow) = left.await {
        let left = left_over(at).await.unwrap_or_else(|error| format!("{error:#}"));
        bail!("{slow}; left: {left}");
    }
    let dead = dead(at).await?;
    ensure!(dead == 0, "{dead} dead jobs: {}", left_over(at).await?);
    webhooks(at, story).await?;
    conclusions(at, &story.calls).await?;
    let state = at.sandbox.state();
    story.calls.iter().try_for_each(|call| held::check(call, &state))?;
    held::check_contacts(&state)?;
    let bought = Bought { speech: state.openai.transcriptions, judgements: state.openai.chats };
    paid(bought, story.calls.iter().map(|call| call.needs).sum(), story.again)?;
    let vanished = at.vanished();
    ensure!(vanished.is_empty(), "ended by themselves: {}", vanished.join(", "));
    queues(at).await
}

/// Everything was paid for once, but for what may have been bought again.
fn paid(bought: Bought, needs: Bought, again: Bought) -> anyhow::Result<()> {
    for (what, bought, needed, again) in [
        ("requests to the speech server", bought.speech, needs.speech, again.speech),
        ("judgements", bought.judgements, needs.judgements, again.judgements),
    ] {
        ensure!(
            (needed..=needed + again).contains(&bought),
            "{bought} {what} were bought; the calls take {needed}, and may take {again} more"
        );
    }
    Ok(())
}

/// Jobs that are not done, and calls that are not concluded.
async fn left(at: &Installation, placed: &[Placed]) -> anyhow::Result<i64> {
    let concluded: i64 =
        sqlx::query_scalar("select count(*) from calls where conclusion is not null").fetch_one(at.pool()).await?;
    Ok(jobs::unfinished(&at.db).await? + (i64::try_from(placed.len())? - concluded).abs())
}

async fn dead(at: &Installation) -> sqlx::Result<i64> {
    sqlx::query_scalar("select count(*) from jobs where state = 'dead'").fetch_one(at.pool()).await
}

async fn left_over(at: &Installation) -> anyhow::Result<String> {
    let sql = "select queue, state, coalesce(reason, '-'), count(*) from jobs where state not in ('done', 'skipped')
        group by 1, 2, 3 order by 1, 2, 3";
    let rows: Vec<(String, String, String, i64)> = sqlx::query_as(sql).fetch_all(at.pool()).await?;
    let row = |(queue, state, reason, count)| format!("{count} {queue} {state} ({reason})");
    Ok(rows.into_iter().map(row).collect::<Vec<_>>().join(", "))
}

/// Every webhook that was accepted is kept and belongs to a call, once; and answers were what they may be.
async fn webhooks(at: &Installation, story: &Story) -> anyhow::Result<()> {
    let tally = at.sender.tally();
    ensure!(tally.wrong.is_empty(), "webhooks were answered with {}", tally.wrong.join("; "));
    ensure!(story.refused || tally.refusals == 0, "{} webhooks were refused with 503", tally.refusals);
    ensure!(story.unanswered || tally.unanswered == 0, "{} webhooks were not answered", tally.unanswered);
    let sql = "select count(*), count(call_id), count(distinct call_id) from events";
    let (events, tied, calls): (i64, i64, i64) = sqlx::query_as(sql).fetch_one(at.pool()).await?;
    let accepted = i64::try_from(tally.accepted.len())?;
    ensure!(events == accepted, "{accepted} different webhooks were accepted, {events} are kept");
    ensure!(tied == events, "{} webhooks belong to no call", events - tied);
    let placed = i64::try_from(story.calls.len())?;
    ensure!(calls == placed, "{placed} calls became {calls}");
    Ok(())
}

async fn conclusions(at: &Installation, placed: &[Placed]) -> anyhow::Result<()> {
    let provider = ProviderId::new("cloudtalk");
    for Placed { id, recorded, .. } in placed {
        let call = calls::find_by_key(&at.db, &provider, &id.to_string()).await?;
        let conclusion = call.with_context(|| format!("call {id} is not known"))?.conclusion;
        let expected = if *recorded { Conclusion::Analyzed } else { Conclusion::NotRecorded };
        ensure!(conclusion == Some(expected), "call {id} was concluded {conclusion:?}, not {expected:?}");
    }
    Ok(())
}

async fn queues(at: &Installation) -> anyhow::Result<()> {
    until("every queue and dead-letter queue is empty", QUEUES_EMPTY, async || {
        for queue in Installation::queues() {
            let depths = (at.queue.depth(&queue).await, at.queue.dead_depth(&queue).await);
            if !matches!(depths, (Ok(0), Ok(0))) {
                return false;
            }
        }
        true
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_bought_too_often_and_what_was_not() {
        let needs = Bought { speech: 8, judgements: 4 };
        let wrong = |speech, judgements, again| {
            let found = paid(Bought { speech, judgements }, needs, again).err();
            found.map(|error| error.to_string()).unwrap_or_default()
        };
        assert_eq!(wrong(8, 4, Bought::default()), "");
        assert!(wrong(9, 4, Bought::default()).contains("9 requests to the speech server"));
        assert!(wrong(8, 5, Bought::default()).contains("5 judgements"));
        assert!(wrong(7, 4, Bought::default()).contains("take 8"));
        let again = Bought { speech: 2, judgements: 0 };
        assert_eq!(wrong(10, 4, again), "");
        assert!(wrong(11, 4, again).contains("2 more") && wrong(10, 5, again).contains("5 judgements"));
    }
}
