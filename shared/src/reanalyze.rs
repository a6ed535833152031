//! Feedback made anew, from the CLI or the API: nothing is fetched or transcribed again. What a call has stays in use until the
//! new feedback replaces it; then the sinks are told, and change what they hold.

use anyhow::Context;

use crate::{
    clock::Clock,
    db::{self, Db},
    domain::CallId,
    queue::{SharedQueue, Wakeup},
};

/// Calls in one commit.
const AT_ONCE: usize = 100;

/// Has the feedback on these calls made anew. They must have been transcribed. The broker may be away: then the rows are due, and
/// the dispatcher publishes them later.
///
/// # Errors
/// When the database is away; what was asked for before stays asked for.
pub async fn reanalyze(db: &Db, queue: &SharedQueue, clock: &Clock, calls: &[CallId]) -> anyhow::Result<()> {
    for some in calls.chunks(AT_ONCE) {
        let waiting = db::feedback::renew(db, some, clock.now()).await.context("cannot ask for feedback")?;
        for (job, name) in waiting {
            if let Err(error) = queue.publish(&Wakeup::new(job, name, None)).await {
                tracing::debug!(job.id = %job, %error, "left to the dispatcher");
                break;
            }
        }
    }
    Ok(())
}
