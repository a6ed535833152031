//! `telnyx-signature-ed25519`: over `<telnyx-timestamp>|<raw body>`, with the account's public key
//! (developers.telnyx.com, "Receiving webhooks").

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use axum::http::HeaderMap;
use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::{DateTime, TimeDelta};

use crate::sources::WebhookRequest;

const SIGNATURE: &str = "telnyx-signature-ed25519";
const TIMESTAMP: &str = "telnyx-timestamp";
/// How far its clock and ours may be apart, its way here included: what the vendor's own libraries accept.
const TOLERANCE: TimeDelta = TimeDelta::minutes(5);

/// The public key of an account.
pub(super) struct PublicKey(UnparsedPublicKey<[u8; 32]>);

impl PublicKey {
    /// Reads the key as the portal shows it: 32 bytes in base64.
    pub(super) fn read(text: &str) -> Option<Self> {
        let bytes: [u8; 32] = BASE64_STANDARD.decode(text).ok()?.try_into().ok()?;
        Some(Self(UnparsedPublicKey::new(&ED25519, bytes)))
    }

    /// Whether the owner of the key signed this body, lately.
    pub(super) fn signed(&self, request: &WebhookRequest<'_>) -> bool {
        let holds = || {
            let time = only(request.headers, TIMESTAMP)?;
            let at = DateTime::from_timestamp(time.parse().ok()?, 0)?;
            let signature = BASE64_STANDARD.decode(only(request.headers, SIGNATURE)?).ok()?;
            let message = [time.as_bytes(), b"|", request.body].concat();
            self.0.verify(&message, &signature).ok()?;
            Some((request.received_at - at).abs() <= TOLERANCE)
        };
        holds().unwrap_or(false)
    }
}

/// Whether there is a time and a signature, one of each.
pub(super) fn is_signed(headers: &HeaderMap) -> bool {
    only(headers, TIMESTAMP).is_some() && only(headers, SIGNATURE).is_some()
}

/// The one header of that name. Several are as bad as none.
fn only<'r>(headers: &'r HeaderMap, name: &str) -> Option<&'r str> {
    let mut all = headers.get_all(name).iter();
    let value = all.next()?.to_str().ok()?;
    all.next().is_none().then_some(value)
}
