//! The call that a job is about.

use std::time::Duration;

use anyhow::anyhow;
use shared::{
    db::{self, Db, calls::Found},
    domain::{Job, Outcome, StepError, VerdictExt},
};

/// Whoever finds that the same step still works on a call that was merged into this one comes back so much later.
const BUSY: Duration = Duration::from_secs(3);

/// The call of a job; or, where it was found to be another one, how the job ends: that one's job does it.
///
/// # Errors
/// Fail when the job has no call. Snooze while the same step works on a call that was merged into this one: it may be
/// writing, or paying for, what this job would do a second time.
pub(super) async fn of(db: &Db, job: &Job) -> Result<Result<Found, Outcome>, StepError> {
    let id = job.call_id.ok_or_else(|| anyhow!("a {} job without a call", job.step)).or_fail("broken-job")?;
    let found = db::calls::find_for(db, id, &job.queue()).await.or_ours()?;
    let found = found.ok_or_else(|| anyhow!("its call is gone")).or_fail("call-gone")?;
    if found.call.id != id {
        return Ok(Err(Outcome::merged(job, found.call.id)));
    }
    if found.is_busy {
        let what = anyhow!("a call that was merged into this one is still worked on");
        return Err(StepError::snooze("merged-call-busy", BUSY, what));
    }
    Ok(Ok(found))
}
