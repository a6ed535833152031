//! `X-Twilio-Signature`: HMAC-SHA1 with the auth token over the exact URL that Twilio called and the form's fields
//! (facts: telephony §2.3). The URL is made of our own public address and the request target as it came in: whatever a
//! proxy says about host and scheme, anybody could say.

use axum::http::{HeaderMap, header::CONTENT_TYPE};
use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};
use url::{Url, form_urlencoded};

use super::{CALLBACK_FRAGMENT, VERIFY};
use crate::{
    env::{Env, EnvError},
    sources::WebhookRequest,
};

const HEADER: &str = "x-twilio-signature";
/// In the query of webhooks whose body is no form.
const BODY_DIGEST: &str = "bodySHA256";

/// How webhooks are checked.
pub(super) enum Check {
    Signature {
        token: SecretString,
        /// Where Twilio reaches us. Without it nothing can be verified, so every webhook is refused.
        public: Option<String>,
    },
    /// Switched off by `TWILIO_WEBHOOK_VERIFY=off`.
    Off,
}

impl Check {
    pub(super) fn from_env(env: &Env, token: &SecretString) -> Result<Self, EnvError> {
        if !env.flag(VERIFY, true)? {
            tracing::warn!(
                provider = super::NAME,
                "{VERIFY}=off: webhooks are accepted from ANYONE; anybody who knows the address can invent calls"
            );
            return Ok(Self::Off);
        }
        let public = super::public_address(env)?;
        if public.is_none() {
            tracing::warn!(
                provider = super::NAME,
                "WEBHOOK_BASE_URL is not set: Twilio signs the address that it calls, so its webhooks are all refused"
            );
        }
        Ok(Self::Signature { token: token.clone(), public })
    }

    /// Whether there is one signature at all, and anything that it could be compared with.
    pub(super) fn may_pass(&self, headers: &HeaderMap) -> bool {
        match self {
            Self::Signature { public, .. } => public.is_some() && signature(headers).is_some(),
            Self::Off => true,
        }
    }

    /// Whether Twilio signed this very request.
    pub(super) fn passes(&self, request: &WebhookRequest<'_>) -> bool {
        let Self::Signature { token, public } = self else { return true };
        let Some(shown) = signature(request.headers) else { return false };
        let Some(public) = public else { return false };
        let is_form = content_type(request).is_none_or(|kind| kind == "application/x-www-form-urlencoded");
        let signed = if is_form { Some(fields(request.body)) } else { digest_matches(request).then(Vec::new) };
        let Some(signed) = signed else { return false };
        // Every spelling is tried, whether or not one matched already.
        let right = spellings(&format!("{public}{}", request.target))
            .into_iter()
            .fold(Choice::from(0), |right, url| right | sign(token, &url, &signed).as_slice().ct_eq(&shown));
        right.into()
    }
}

/// The one signature of the request. Several are as bad as none.
fn signature(headers: &HeaderMap) -> Option<Vec<u8>> {
    let mut all = headers.get_all(HEADER).iter();
    let shown = BASE64_STANDARD.decode(all.next()?.as_bytes()).ok()?;
    all.next().is_none().then_some(shown)
}

fn content_type(request: &WebhookRequest<'_>) -> Option<String> {
    let kind = request.headers.get(CONTENT_TYPE)?.to_str().ok()?;
    Some(kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

/// The form's fields, sorted, each once.
fn fields(body: &[u8]) -> Vec<(String, String)> {
    let mut fields: Vec<_> = form_urlencoded::parse(body).into_owned().collect();
    fields.sort();
    fields.dedup();
    fields
}

/// Whether the body is the one whose digest the (signed) query names.
fn digest_matches(request: &WebhookRequest<'_>) -> bool {
    let query = request.target.split_once('?').map_or("", |(_, query)| query);
    let mut named = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == BODY_DIGEST);
    let found = hex::encode(Sha256::digest(request.body));
    matches!((named.next(), named.next()), (Some((_, digest)), None)
        if bool::from(digest.to_ascii_lowercase().as_bytes().ct_eq(found.as_bytes())))
}

/// The URL as Twilio may have signed it: with its port or without, and with or without the fragment that we ask for
/// callbacks with, which no request shows.
fn spellings(url: &str) -> Vec<String> {
    let mut all = vec![url.to_owned()];
    if let Some((before, host, port, after)) = split(url) {
        let default = if before.starts_with("https") { 443 } else { 80 };
        all.push(match port {
            Some(_) => format!("{before}{host}{after}"),
            None => format!("{before}{host}:{default}{after}"),
        });
    }
    let with_fragment: Vec<_> = all.iter().map(|url| format!("{url}{CALLBACK_FRAGMENT}")).collect();
    all.extend(with_fragment);
    all
}

/// Scheme with `://`, host, port, and the rest as it is: parsing and writing a URL would spell it anew.
fn split(url: &str) -> Option<(&str, &str, Option<&str>, &str)> {
    let authority = url.find("://")? + 3;
    let end = url[authority..].find(['/', '?']).map_or(url.len(), |at| authority + at);
    let (before, after) = (&url[..authority], &url[end..]);
    let parsed = Url::parse(url).ok()?;
    let (host, port) = match url[authority..end].rsplit_once(':') {
        Some((host, port)) if parsed.port_or_known_default() == port.parse().ok() => (host, Some(port)),
        _ => (&url[authority..end], None),
    };
    Some((before, host, port, after))
}

fn sign(token: &SecretString, url: &str, fields: &[(String, String)]) -> Vec<u8> {
    let mut mac =
        Hmac::<Sha1>::new_from_slice(token.expose_secret().as_bytes()).expect("HMAC takes keys of any length");
    mac.update(url.as_bytes());
    for (name, value) in fields {
        mac.update(name.as_bytes());
        mac.update(value.as_bytes());
    }
    mac.finalize().into_bytes().to_vec()
}
