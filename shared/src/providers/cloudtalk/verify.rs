//! CloudTalk signs nothing (facts: telephony §1.1); a workflow can only send a fixed header, a URL or a body field. So
//! there is one shared secret, accepted wherever the workflow puts it.

use axum::http::HeaderMap;

use super::{SECRET, VERIFY};
use crate::{
    env::{Env, EnvError},
    sources::{SharedSecret, WebhookRequest},
};

/// How webhooks are checked.
pub(super) enum Check {
    Secret(SharedSecret),
    /// Switched off by `CLOUDTALK_WEBHOOK_VERIFY=off`.
    Off,
}

impl Check {
    pub(super) fn from_env(env: &Env) -> Result<Self, EnvError> {
        if !env.flag(VERIFY, true)? {
            tracing::warn!(
                provider = super::NAME,
                "{VERIFY}=off: webhooks are accepted from ANYONE; anybody who knows the address can invent calls"
            );
            return Ok(Self::Off);
        }
        let secret = env.secret(SECRET).ok_or_else(|| EnvError::Missing(SECRET.to_owned()))?;
        Ok(Self::Secret(SharedSecret::new(secret)))
    }

    pub(super) fn may_pass(&self, target: &str, headers: &HeaderMap) -> bool {
        match self {
            Self::Secret(secret) => secret.may_pass(target, headers),
            Self::Off => true,
        }
    }

    pub(super) fn passes(&self, request: &WebhookRequest<'_>) -> bool {
        match self {
            Self::Secret(secret) => secret.passes(request),
            Self::Off => true,
        }
    }
}
