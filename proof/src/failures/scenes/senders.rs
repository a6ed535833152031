//! Providers that say everything more than once.

use proof::Installation;

use crate::{calls, scenario::Story};

const COPIES: usize = 50;

/// Every webhook fifty times at once.
pub async fn fifty_times(at: &Installation) -> anyhow::Result<Story> {
    at.sender.copies(COPIES);
    let calls = calls::mixed(at, 10).await?;
    let tally = at.sender.tally();
    let figures = vec![format!("{} posts", tally.successes), format!("slowest {} ms", tally.slowest.as_millis())];
    Ok(Story { calls, figures, ..Story::default() })
}
