//! All that is known of a call, in one go.

use super::{Db, deliveries, feedback, recordings, transcripts};
use crate::domain::{Call, CallId, Report, SinkId};

/// The report on a call and its [`family`](super::calls::family), with what `sink` holds of it. The link, the names it had
/// before, and whether something may have been written are the caller's to fill in.
///
/// # Errors
/// When the database is away.
pub async fn load(db: &Db, call: Call, family: &[CallId], sink: Option<&SinkId>) -> sqlx::Result<Report> {
    let (recording, transcript, feedback, (held, outranked)) =
        tokio::try_join!(recordings::of(db, family), transcripts::of(db, family), feedback::kept(db, family), async {
            match sink {
                Some(sink) => deliveries::of(db, family, sink).await,
                None => Ok(Default::default()),
            }
        })?;
    let absence = match recording {
        Some(_) => None,
        None => recordings::absence(db, &call).await?,
    };
    let feedback = feedback.map(|(feedback, _)| feedback);
    let (merged, recording_link, maybe_written) = (Vec::new(), None, false);
    Ok(Report {
        call,
        merged,
        recording,
        absence,
        recording_link,
        transcript,
        feedback,
        held,
        outranked,
        maybe_written,
    })
}
