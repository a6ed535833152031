//! Who is let in. Every source is checked unless a setting of its own says otherwise, which is said loudly at start.

use axum::http::HeaderMap;

use super::WebhookRequest;
use crate::env::{Env, EnvError};

/// Tells a source's requests from anybody else's.
pub trait Check: Send + Sync {
    /// Whether a request with this head can pass [`Check::passes`].
    fn may_pass(&self, _target: &str, _headers: &HeaderMap) -> bool {
        true
    }

    /// Whether the source sent this very request. Looks at the raw bytes, in constant time.
    fn passes(&self, request: &WebhookRequest<'_>) -> bool;
}

/// What stands before a source.
pub(crate) enum Gate<C> {
    /// Only what passes is let in.
    Checked(C),
    /// Switched off: anybody is let in.
    Open,
}

impl<C> Gate<C> {
    /// Open where the setting of that name (`…_WEBHOOK_VERIFY`) is off, with a warning; else with what `check` makes.
    pub(crate) fn from_env(
        env: &Env,
        source: &'static str,
        setting: &str,
        check: impl FnOnce() -> Result<C, EnvError>,
    ) -> Result<Self, EnvError> {
        if env.flag(setting, true)? {
            return check().map(Self::Checked);
        }
        tracing::warn!(
            provider = source,
            "{setting}=off: webhooks are accepted from ANYONE; anybody who knows the address can invent calls and change contacts"
        );
        Ok(Self::Open)
    }
}

impl<C: Check> Check for Gate<C> {
    fn may_pass(&self, target: &str, headers: &HeaderMap) -> bool {
        match self {
            Self::Checked(check) => check.may_pass(target, headers),
            Self::Open => true,
        }
    }

    fn passes(&self, request: &WebhookRequest<'_>) -> bool {
        match self {
            Self::Checked(check) => check.passes(request),
            Self::Open => true,
        }
    }
}
