//! All that is known of a call, in one go.

use super::{Db, calls, deliveries, feedback, recordings, transcripts};
use crate::domain::{CallId, Report, SinkId};

/// The report on a call, with what `sink` holds of it. The link and whether something may have been written are the
/// caller's to fill in.
///
/// # Errors
/// When the database is away.
pub async fn load(db: &Db, call: CallId, sink: Option<&SinkId>) -> sqlx::Result<Option<Report>> {
    let Some(call) = calls::find(db, call).await? else { return Ok(None) };
    let (recording, transcript, feedback, held) = tokio::try_join!(
        recordings::find(db, call.id),
        transcripts::find(db, call.id),
        feedback::find(db, call.id),
        async {
            match sink {
                Some(sink) => deliveries::of(db, call.id, sink).await,
                None => Ok(Vec::new()),
            }
        }
    )?;
    let (recording_link, maybe_written) = (None, false);
    Ok(Some(Report { call, recording, recording_link, transcript, feedback, held, maybe_written }))
}
