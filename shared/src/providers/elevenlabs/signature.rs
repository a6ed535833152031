//! `ElevenLabs-Signature: t=<unix seconds>,v0=<hex>`: HMAC-SHA256 of `<t>.<raw body>` (facts: telephony §3.1). The time is
//! in a header, so it can be computed while the body comes in.

use axum::http::HeaderMap;
use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::{NAME, SECRET, VERIFY};
use crate::{
    env::{Env, EnvError},
    sources::Refused,
};

const HEADER: &str = "elevenlabs-signature";
/// How old a signature may be: what the vendor's own libraries accept.
const OLDEST: TimeDelta = TimeDelta::minutes(30);
/// How far its clock may be ahead of ours.
const AHEAD: TimeDelta = TimeDelta::minutes(5);
/// More signatures than this in one header are no honest mistake.
const MOST: usize = 8;

/// How webhooks are checked.
#[derive(Clone)]
pub(super) enum Check {
    /// Signed with any of these: one while a new one is brought in, or one per agent.
    Secrets(Vec<SecretString>),
    /// Switched off by `ELEVENLABS_WEBHOOK_VERIFY=off`.
    Off,
}

/// A signature that is being checked against a body.
pub(super) enum Checking {
    Signed { macs: Vec<Hmac<Sha256>>, given: Vec<[u8; 32]> },
    Off,
}

impl Check {
    pub(super) fn from_env(env: &Env) -> Result<Self, EnvError> {
        if !env.flag(VERIFY, true)? {
            tracing::warn!(
                provider = NAME,
                "{VERIFY}=off: webhooks are accepted from ANYONE; anybody who knows the address can invent calls"
            );
            return Ok(Self::Off);
        }
        let secrets: Vec<_> = env.list(SECRET).into_iter().map(SecretString::from).collect();
        if secrets.is_empty() { Err(EnvError::Missing(SECRET.to_owned())) } else { Ok(Self::Secrets(secrets)) }
    }

    /// Reads the header. What it says of the time is believed only once the signature holds.
    pub(super) fn begin(&self, headers: &HeaderMap, received_at: DateTime<Utc>) -> Result<Checking, Refused> {
        let Self::Secrets(secrets) = self else { return Ok(Checking::Off) };
        let (time, given) = read(headers).ok_or(Refused)?;
        let at = time.parse().ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0)).ok_or(Refused)?;
        if !(received_at - OLDEST..=received_at + AHEAD).contains(&at) {
            return Err(Refused);
        }
        let begun = |secret: &SecretString| {
            let mac = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes());
            mac.expect("HMAC takes a key of any length").chain_update(time.as_bytes()).chain_update(b".")
        };
        Ok(Checking::Signed { macs: secrets.iter().map(begun).collect(), given })
    }
}

impl Checking {
    /// Takes the next piece of the raw body.
    pub(super) fn update(&mut self, piece: &[u8]) {
        if let Self::Signed { macs, .. } = self {
            macs.iter_mut().for_each(|mac| mac.update(piece));
        }
    }

    /// Whether one of the given signatures is right for all that was taken.
    pub(super) fn holds(self) -> Result<(), Refused> {
        let Self::Signed { macs, given } = self else { return Ok(()) };
        let expected: Vec<_> = macs.into_iter().map(|mac| mac.finalize().into_bytes()).collect();
        let same =
            |given: &[u8; 32]| expected.iter().fold(0, |same, mac| same | mac.as_slice().ct_eq(given).unwrap_u8());
        let right = given.iter().fold(0, |right, given| right | same(given));
        if right == 1 { Ok(()) } else { Err(Refused) }
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
