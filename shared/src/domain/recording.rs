//! A call's audio, proven and kept.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::ProviderId;

/// What is known of a stored recording. It exists only once the bytes are in the store and were proven to be audio.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recording {
    /// Key in the object store.
    pub object_key: String,
    /// Size in bytes.
    pub size_bytes: i64,
    /// SHA-256 of the bytes, lower-case hex.
    pub sha256: String,
    /// Length in seconds, as decoded.
    pub duration_seconds: f64,
    /// Number of channels.
    pub channels: i32,
    /// Samples per second.
    pub sample_rate: i32,
    /// `wav`, `mp3`, `ogg`, `flac`, `m4a`.
    pub format: String,
    /// When it was stored.
    pub stored_at: DateTime<Utc>,
}

impl Recording {
    /// Whose recording it is, as its key says: not the call's provider where another one carried the call.
    pub fn source(&self) -> Option<ProviderId> {
        let mut parts = self.object_key.split('/');
        let (_, provider) = (parts.next().filter(|first| *first == "recordings")?, parts.next()?);
        Some(ProviderId::from(provider.to_owned()))
    }

    /// The media type to serve it with.
    pub fn content_type(&self) -> &'static str {
        match self.format.as_str() {
            "wav" => "audio/wav",
            "mp3" => "audio/mpeg",
            "ogg" => "audio/ogg",
            "flac" => "audio/flac",
            "m4a" => "audio/mp4",
            _ => "application/octet-stream",
        }
    }
}
