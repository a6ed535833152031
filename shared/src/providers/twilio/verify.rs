//! `X-Twilio-Signature`: HMAC-SHA1 with the auth token over the exact URL that Twilio called and the form's fields
//! (facts: telephony §2.3). The URL is made of our own public address and the request target as it came in: whatever a
//! proxy says about host and scheme, anybody could say.
//!
//! SignalWire signs in the same way, and JSON bodies also as hex of the URL and the whole body (its SDKs' validators).

use axum::http::{HeaderMap, header::CONTENT_TYPE};
use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};
use url::{Url, form_urlencoded};

use super::{
    CALLBACK_FRAGMENT, Dialect,
    dialect::Scheme,
    ed25519::{self, PublicKey},
};
use crate::{
    env::{Env, EnvError},
    sources::{Check, WebhookRequest},
};

const HEADER: &str = "x-twilio-signature";
const SIGNALWIRE_HEADER: &str = "x-signalwire-signature";
/// In the query of webhooks whose body is no form.
const BODY_DIGEST: &str = "bodySHA256";

/// How the vendor signs webhooks.
pub(super) enum Signed {
    Hmac {
        scheme: Scheme,
        token: SecretString,
        /// Where the vendor reaches us. Without it nothing can be verified, so every webhook is refused.
        public: Option<String>,
    },
    /// Signed with the key that belongs to this one.
    Ed25519(PublicKey),
}

/// What a request shows.
enum Shown {
    /// Over URL and fields.
    Fields(Vec<u8>),
    /// Over URL and body.
    Body(Vec<u8>),
}

impl Signed {
    pub(super) fn from_env(dialect: &Dialect, env: &Env, token: &SecretString) -> Result<Self, EnvError> {
        let missing = |name: &str| EnvError::Missing(name.to_owned());
        let key = match dialect.settings.signing {
            Some(name) => env.secret(name).ok_or_else(|| missing(name))?,
            None => token.clone(),
        };
        if dialect.scheme == Scheme::Telnyx {
            let name = dialect.settings.signing.unwrap_or_default().to_owned();
            let why = "expected 32 bytes in base64, as the portal shows it".to_owned();
            let key = PublicKey::read(key.expose_secret()).ok_or(EnvError::Invalid { name, why })?;
            return Ok(Self::Ed25519(key));
        }
        let public = super::public_address(env)?;
        if public.is_none() {
            tracing::warn!(
                provider = dialect.name,
                "WEBHOOK_BASE_URL is not set: the address that is called is signed, so webhooks are all refused"
            );
        }
        Ok(Self::Hmac { scheme: dialect.scheme, token: key, public })
    }
}

impl Check for Signed {
    /// Whether there is one signature at all, and anything that it could be compared with.
    fn may_pass(&self, _: &str, headers: &HeaderMap) -> bool {
        match self {
            Self::Hmac { scheme, public, .. } => public.is_some() && shown(*scheme, headers).is_some(),
            Self::Ed25519(_) => ed25519::is_signed(headers),
        }
    }

    fn passes(&self, request: &WebhookRequest<'_>) -> bool {
        let (scheme, token, public) = match self {
            Self::Ed25519(key) => return key.signed(request),
            Self::Hmac { scheme, token, public } => (*scheme, token, public),
        };
        let (Some(shown), Some(public)) = (shown(scheme, request.headers), public) else { return false };
        let Some((shown, signed)) = signed(scheme, request, shown) else { return false };
        // Every spelling is tried, whether or not one matched already.
        let right = spellings(&format!("{public}{}", request.target))
            .into_iter()
            .fold(Choice::from(0), |right, url| right | sign(token, &url, &signed).as_slice().ct_eq(&shown));
        right.into()
    }
}

/// The one signature of the request. Several are as bad as none.
fn shown(scheme: Scheme, headers: &HeaderMap) -> Option<Shown> {
    let only = |name: &str| {
        let mut all = headers.get_all(name).iter();
        let value = all.next()?.as_bytes();
        all.next().is_none().then_some(value)
    };
    let text = match scheme {
        Scheme::SignalWire if headers.contains_key(SIGNALWIRE_HEADER) => only(SIGNALWIRE_HEADER)?,
        _ => only(HEADER)?,
    };
    match hex::decode(text) {
        Ok(bytes) if scheme == Scheme::SignalWire && bytes.len() == 20 => Some(Shown::Body(bytes)),
        _ => BASE64_STANDARD.decode(text).ok().map(Shown::Fields),
    }
}

/// What was signed after the URL, if the request can be as it was signed.
fn signed(scheme: Scheme, request: &WebhookRequest<'_>, shown: Shown) -> Option<(Vec<u8>, Vec<u8>)> {
    let shown = match shown {
        Shown::Body(shown) => return Some((shown, request.body.to_vec())),
        Shown::Fields(shown) => shown,
    };
    let is_form = content_type(request).is_none_or(|kind| kind == "application/x-www-form-urlencoded");
    if !is_form {
        return digest_matches(request).then(|| (shown, Vec::new()));
    }
    let fields = fields(scheme, request.body).into_iter().flat_map(|(name, value)| [name, value]);
    Some((shown, fields.collect::<String>().into_bytes()))
}

fn content_type(request: &WebhookRequest<'_>) -> Option<String> {
    let kind = request.headers.get(CONTENT_TYPE)?.to_str().ok()?;
    Some(kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

/// The form's fields, sorted: Twilio's by name and value, each once; SignalWire's by name, as often as they came.
fn fields(scheme: Scheme, body: &[u8]) -> Vec<(String, String)> {
    let mut fields: Vec<_> = form_urlencoded::parse(body).into_owned().collect();
    if scheme == Scheme::SignalWire {
        fields.sort_by(|(a, _), (b, _)| a.cmp(b));
    } else {
        fields.sort();
        fields.dedup();
    }
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

fn sign(token: &SecretString, url: &str, signed: &[u8]) -> Vec<u8> {
    let mut mac =
        Hmac::<Sha1>::new_from_slice(token.expose_secret().as_bytes()).expect("HMAC takes keys of any length");
    mac.update(url.as_bytes());
    mac.update(signed);
    mac.finalize().into_bytes().to_vec()
}
