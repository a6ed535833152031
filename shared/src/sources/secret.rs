//! One shared secret, accepted wherever a sender that signs nothing can put it: a header, the URL, a field of the body.

use axum::http::{HeaderMap, HeaderName, header::AUTHORIZATION};
use base64::{Engine, prelude::BASE64_STANDARD};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{Check, WebhookRequest};

const HEADER: HeaderName = HeaderName::from_static("x-webhook-secret");
const QUERY: [&str; 2] = ["token", "secret"];

/// A secret that requests must show.
pub struct SharedSecret {
    secret: SecretString,
    header: HeaderName,
}

impl SharedSecret {
    /// This one.
    pub fn new(secret: SecretString) -> Self {
        Self { secret, header: HEADER }
    }

    /// Shown in this header in place of `X-Webhook-Secret`.
    #[must_use]
    pub fn and_in(self, header: HeaderName) -> Self {
        Self { header, ..self }
    }

    fn is(&self, shown: &Option<String>) -> bool {
        shown.as_deref().is_some_and(|shown| same(&self.secret, shown))
    }

    fn in_head(&self, target: &str, headers: &HeaderMap) -> impl Iterator<Item = Option<String>> {
        in_headers(headers, &self.header).chain(in_query(target))
    }
}

impl Check for SharedSecret {
    /// What it shows already is right. The secret may still come in the body.
    fn may_pass(&self, target: &str, headers: &HeaderMap) -> bool {
        self.in_head(target, headers).all(|shown| self.is(&shown))
    }

    /// Whether the request shows the secret, and nothing else in the places where it belongs.
    fn passes(&self, request: &WebhookRequest<'_>) -> bool {
        // The body of a request that already showed a wrong secret is not read.
        if !self.may_pass(request.target, request.headers) {
            return false;
        }
        let inside = in_body(request.body);
        let shown = self.in_head(request.target, request.headers).count() + inside.len();
        shown > 0 && inside.iter().all(|shown| self.is(shown))
    }
}

/// Compares digests: neither content nor length can be told from the time it takes.
fn same(secret: &SecretString, shown: &str) -> bool {
    Sha256::digest(secret.expose_secret()).ct_eq(&Sha256::digest(shown)).into()
}

/// `Authorization: Bearer <s>`, `Basic <base64 of any:s>` or bare, and a header of its own; `None` is what cannot be read.
fn in_headers(headers: &HeaderMap, own: &HeaderName) -> impl Iterator<Item = Option<String>> {
    let authorization = headers.get_all(AUTHORIZATION).iter().map(|value| credentials(value.to_str().ok()?));
    let own = headers.get_all(own).iter().map(|value| Some(value.to_str().ok()?.trim().to_owned()));
    authorization.chain(own)
}

fn credentials(value: &str) -> Option<String> {
    let (scheme, rest) = value.trim().split_once(' ').unwrap_or(("bearer", value.trim()));
    let rest = rest.trim();
    match scheme.to_ascii_lowercase().as_str() {
        "bearer" => Some(rest.to_owned()),
        "basic" => {
            let pair = String::from_utf8(BASE64_STANDARD.decode(rest).ok()?).ok()?;
            pair.split_once(':').map(|(_, password)| password.to_owned())
        }
        _ => None,
    }
}

fn in_query(target: &str) -> impl Iterator<Item = Option<String>> {
    let query = target.split_once('?').map_or("", |(_, query)| query);
    let pairs = url::form_urlencoded::parse(query.as_bytes());
    pairs.filter(|(name, _)| QUERY.contains(&name.as_ref())).map(|(_, value)| Some(value.into_owned()))
}

/// The fields of a body that may hold the secret. Of the others nothing is kept: whoever sent them has proven nothing yet.
#[derive(Deserialize)]
struct Fields<'b> {
    #[serde(borrow)]
    secret: Option<&'b RawValue>,
    #[serde(borrow)]
    lhc_key: Option<&'b RawValue>,
    #[serde(borrow)]
    webhook_secret: Option<&'b RawValue>,
    #[serde(borrow)]
    token: Option<&'b RawValue>,
    /// Where GoHighLevel's workflows put what their makers add.
    #[serde(borrow, rename = "customData")]
    added: Option<&'b RawValue>,
}

fn in_body(body: &[u8]) -> Vec<Option<String>> {
    let top: Option<Fields> = serde_json::from_slice(body).ok();
    let added: Option<Fields> = top.as_ref().and_then(|top| serde_json::from_str(top.added?.get()).ok());
    let fields = [top, added].into_iter().flatten();
    let shown = fields.flat_map(|at| [at.secret, at.lhc_key, at.webhook_secret, at.token]).flatten();
    shown.map(|value| serde_json::from_str(value.get()).ok()).collect()
}
