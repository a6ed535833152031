//! What the vendors do with a body before they send it, from their documents.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::Sha256;
use url::form_urlencoded;

use super::Pairs;

/// What all examples share: secret, token, signing key.
pub(super) const SECRET: &str = "wsec_0123456789abcdef";
/// Of the key that signs as Telnyx does; the public part of the key of [`SEED`].
pub(super) const PUBLIC_KEY: &str = "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=";
const SEED: [u8; 32] = {
    let mut seed = [0; 32];
    let mut at = 0;
    while at < 32 {
        seed[at] = at as u8;
        at += 1;
    }
    seed
};

pub(super) fn shown(_: &str, _: &[u8], _: DateTime<Utc>) -> Pairs {
    vec![("authorization", format!("Bearer {SECRET}"))]
}

pub(super) fn twilio(address: &str, body: &[u8], _: DateTime<Utc>) -> Pairs {
    vec![("x-twilio-signature", form(address, body))]
}

pub(super) fn signalwire(address: &str, body: &[u8], _: DateTime<Utc>) -> Pairs {
    vec![("x-signalwire-signature", form(address, body))]
}

fn form(address: &str, body: &[u8]) -> String {
    let mut fields: Vec<_> = form_urlencoded::parse(body).into_owned().collect();
    fields.sort();
    let mut mac = Hmac::<Sha1>::new_from_slice(SECRET.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(address.as_bytes());
    for (name, value) in fields {
        mac.update(name.as_bytes());
        mac.update(value.as_bytes());
    }
    BASE64_STANDARD.encode(mac.finalize().into_bytes())
}

pub(super) fn elevenlabs(_: &str, body: &[u8], now: DateTime<Utc>) -> Pairs {
    let time = now.timestamp().to_string();
    let mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("HMAC takes keys of any length");
    let mac = mac.chain_update(time.as_bytes()).chain_update(b".").chain_update(body);
    vec![("elevenlabs-signature", format!("t={time},v0={}", hex::encode(mac.finalize().into_bytes())))]
}

pub(super) fn telnyx(_: &str, body: &[u8], now: DateTime<Utc>) -> Pairs {
    let time = now.timestamp().to_string();
    let pair = Ed25519KeyPair::from_seed_unchecked(&SEED).expect("a seed of 32 bytes");
    assert_eq!(BASE64_STANDARD.encode(pair.public_key()), PUBLIC_KEY);
    let signature = pair.sign(&[time.as_bytes(), b"|", body].concat());
    vec![("telnyx-timestamp", time), ("telnyx-signature-ed25519", BASE64_STANDARD.encode(signature))]
}
