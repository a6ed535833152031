//! `ElevenLabs-Signature: t=<unix seconds>,v0=<hex>`: HMAC-SHA256 of `<t>.<raw body>` (facts: telephony §3.1). The time is
//! in a header, so it can be computed while the body comes in.

use axum::http::HeaderMap;
use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::SECRET;
use crate::{
    env::{Env, EnvError},
    sources::{Check, WebhookRequest},
};

const HEADER: &str = "elevenlabs-signature";
/// How old a signature may be: what the vendor's own libraries accept.
const OLDEST: TimeDelta = TimeDelta::minutes(30);
/// How far its clock may be ahead of ours.
const AHEAD: TimeDelta = TimeDelta::minutes(5);
/// More signatures than this in one header are no honest mistake.
const MOST: usize = 8;

/// Webhooks are signed with any of these: one while a new one is brought in, or one per agent.
pub(super) struct Secrets(Vec<SecretString>);

/// A signature that is being checked against a body.
pub(super) struct Checking {
    macs: Vec<Hmac<Sha256>>,
    given: Vec<[u8; 32]>,
}

impl Secrets {
    pub(super) fn from_env(env: &Env) -> Result<Self, EnvError> {
        let secrets: Vec<_> = env.list(SECRET).into_iter().map(SecretString::from).collect();
        if secrets.is_empty() { Err(EnvError::Missing(SECRET.to_owned())) } else { Ok(Self(secrets)) }
    }

    /// Reads the header; `None` where it cannot be right. What it says of the time is believed only once the signature holds.
    pub(super) fn begin(&self, headers: &HeaderMap, received_at: DateTime<Utc>) -> Option<Checking> {
        let (time, given) = read(headers)?;
        let at = DateTime::from_timestamp(time.parse().ok()?, 0)?;
        if !(received_at - OLDEST..=received_at + AHEAD).contains(&at) {
            return None;
        }
        let begun = |secret: &SecretString| {
            let mac = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes());
            mac.expect("HMAC takes a key of any length").chain_update(time.as_bytes()).chain_update(b".")
        };
        Some(Checking { macs: self.0.iter().map(begun).collect(), given })
    }
}

impl Check for Secrets {
    fn passes(&self, request: &WebhookRequest<'_>) -> bool {
        self.begin(request.headers, request.received_at).is_some_and(|mut checking| {
            checking.update(request.body);
            checking.holds()
        })
    }
}

impl Checking {
    /// Takes the next piece of the raw body.
    pub(super) fn update(&mut self, piece: &[u8]) {
        self.macs.iter_mut().for_each(|mac| mac.update(piece));
    }

    /// Whether one of the given signatures is right for all that was taken.
    pub(super) fn holds(self) -> bool {
        let expected: Vec<_> = self.macs.into_iter().map(|mac| mac.finalize().into_bytes()).collect();
        let same =
            |given: &[u8; 32]| expected.iter().fold(0, |same, mac| same | mac.as_slice().ct_eq(given).unwrap_u8());
        let right = self.given.iter().fold(0, |right, given| right | same(given));
        right == 1
    }
}

/// The time as it is written, and every `v0`.
fn read(headers: &HeaderMap) -> Option<(&str, Vec<[u8; 32]>)> {
    let (mut time, mut given) = (None, Vec::new());
    for value in headers.get_all(HEADER) {
        for part in value.to_str().ok()?.split(',') {
            match part.trim().split_once('=') {
                Some(("t", text)) if time.is_none() && text.bytes().all(|b| b.is_ascii_digit()) => time = Some(text),
                Some(("t", _)) => return None,
                Some(("v0", text)) => given.push(hex::decode(text).ok()?.try_into().ok()?),
                _ => {}
            }
        }
    }
    (1..=MOST).contains(&given.len()).then_some((time?, given))
}
