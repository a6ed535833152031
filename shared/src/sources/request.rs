//! A webhook request before and after its source has checked it. The two are different types, so that nothing
//! unverified can be parsed.

use axum::http::HeaderMap;
use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

/// A request as it came in, unverified.
pub struct WebhookRequest<'r> {
    /// Path and query exactly as received.
    pub target: &'r str,
    /// Headers.
    pub headers: &'r HeaderMap,
    /// The raw body.
    pub body: &'r [u8],
    /// When it came.
    pub received_at: DateTime<Utc>,
}

/// A request that its source has checked.
pub struct Verified<'r>(&'r WebhookRequest<'r>);

impl<'r> Verified<'r> {
    /// Says that the request was checked, or that checking was switched off by an explicit setting.
    pub(crate) fn vouch(request: &'r WebhookRequest<'r>) -> Self {
        Self(request)
    }

    /// The raw body.
    pub fn body(&self) -> &'r [u8] {
        self.0.body
    }

    /// Path and query exactly as received.
    pub fn target(&self) -> &'r str {
        self.0.target
    }

    /// Headers.
    pub fn headers(&self) -> &'r HeaderMap {
        self.0.headers
    }

    /// Digest of the body, for deduplication by content.
    pub fn digest(&self) -> String {
        hex::encode(Sha256::digest(self.0.body))
    }
}

/// The request is not from the source. Says nothing more: the answer goes to whoever sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature or secret does not match")]
pub struct Refused;

/// A verified request that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// Not the announced format at all: 400.
    #[error("the body is not {expected}")]
    Malformed {
        /// What was expected (`a JSON object`).
        expected: &'static str,
    },
    /// Understood, but a field is missing or impossible: 422.
    #[error("field {field}: {detail}")]
    Field {
        /// The field's name as the source's documents spell it.
        field: String,
        /// What is wrong with it; never its value.
        detail: String,
    },
    /// Not a media type that this route takes: 415.
    #[error("expected {expected}")]
    MediaType {
        /// What is accepted.
        expected: &'static str,
    },
}
