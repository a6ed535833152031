//! The URL that plays a recording: in an `<audio>` element, which can send no token, and in a CRM.

use std::time::Duration;

use shared::{domain::Call, service::App};

/// How long a playback URL works that is not a lasting link.
const LIFETIME: Duration = Duration::from_secs(3600);

/// The lasting link; without a public address of our own (`WEBHOOK_BASE_URL`) the store's short-lived URL must do, and where
/// the store has none either, as a directory, a link to where this process serves recordings. None before the recording is stored.
pub(super) async fn url(app: &App, call: &Call, object_key: Option<&str>) -> Option<String> {
    let key = object_key?;
    match app.links.link(call) {
        Some(link) => Some(link),
        None => match app.recordings.presign(key, LIFETIME).await {
            Ok(None) => app.links.local_link(call),
            presigned => presigned.ok().flatten(),
        },
    }
}
