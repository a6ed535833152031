//! Who sent it. Some systems send a fixed secret, in a header or the URL; others sign the body with one. Which of the two is
//! a setting: a sender that can sign is not let in by showing the key.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::{SECRET, SECRET_HEADER, SIGNATURE_HEADER};
use crate::{
    env::{Env, EnvError},
    sources::{Check, SharedSecret, WebhookRequest},
};

/// What a request shows of its sender.
pub(super) enum Proof {
    /// The secret itself is in the request.
    Secret(SharedSecret),
    /// This header holds the HMAC-SHA256 of the raw body.
    Signature { header: HeaderName, secret: SecretString },
}

impl Proof {
    pub(super) fn from_env(env: &Env) -> Result<Self, EnvError> {
        let secret = env.secret(SECRET).ok_or_else(|| EnvError::Missing(SECRET.to_owned()))?;
        match (header(env, SIGNATURE_HEADER)?, header(env, SECRET_HEADER)?) {
            (None, None) => Ok(Self::Secret(SharedSecret::new(secret))),
            (None, Some(header)) => Ok(Self::Secret(SharedSecret::new(secret).and_in(header))),
            (Some(header), None) => Ok(Self::Signature { header, secret }),
            (Some(_), Some(_)) => Err(EnvError::Invalid {
                name: SIGNATURE_HEADER.to_owned(),
                why: format!("either a signature is checked or a secret: leave {SECRET_HEADER} empty"),
            }),
        }
    }
}

impl Check for Proof {
    fn may_pass(&self, target: &str, headers: &HeaderMap) -> bool {
        match self {
            Self::Secret(secret) => secret.may_pass(target, headers),
            Self::Signature { header, .. } => shown(headers, header).is_some(),
        }
    }

    fn passes(&self, request: &WebhookRequest<'_>) -> bool {
        match self {
            Self::Secret(secret) => secret.passes(request),
            Self::Signature { header, secret } => signed(request, header, secret),
        }
    }
}

fn header(env: &Env, variable: &str) -> Result<Option<HeaderName>, EnvError> {
    let name = env.var(variable).map(|name| name.to_ascii_lowercase().parse());
    name.transpose()
        .map_err(|_| EnvError::Invalid { name: variable.to_owned(), why: "expected the name of a header".to_owned() })
}

/// Whether the one signature of the request is the body's.
fn signed(request: &WebhookRequest<'_>, header: &HeaderName, secret: &SecretString) -> bool {
    let Some(shown) = shown(request.headers, header) else { return false };
    let mac = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes());
    let mac = mac.expect("HMAC takes keys of any length").chain_update(request.body);
    mac.finalize().into_bytes().as_slice().ct_eq(&shown).into()
}

/// The one signature. Several are as bad as none.
fn shown(headers: &HeaderMap, header: &HeaderName) -> Option<Vec<u8>> {
    let mut all = headers.get_all(header).iter();
    let shown = read(all.next()?)?;
    all.next().is_none().then_some(shown)
}

/// 32 bytes in hex or base64, also after `sha256=`, `v0=`, `v1,` and the like.
fn read(value: &HeaderValue) -> Option<Vec<u8>> {
    let text = value.to_str().ok()?.trim();
    let bare = match text.split_once(['=', ',']) {
        Some((scheme, rest)) if scheme.len() <= 12 && !rest.is_empty() && rest != "=" => rest.trim(),
        _ => text,
    };
    let bytes = hex::decode(bare).ok().or_else(|| BASE64_STANDARD.decode(bare).ok())?;
    (bytes.len() == 32).then_some(bytes)
}
