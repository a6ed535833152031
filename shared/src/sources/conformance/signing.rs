//! What the vendors do with a body before they send it, from their documents.

use std::sync::LazyLock;

use aws_lc_rs::{
    encoding::AsDer,
    rand::SystemRandom,
    rsa::KeySize,
    signature::{Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::Sha256;
use url::form_urlencoded;

use super::Pairs;

/// What all examples share: secret, token, signing key.
pub(super) const SECRET: &str = "wsec_0123456789abcdef";
/// Of the key that signs as Telnyx and GoHighLevel do; the public part of the key of [`SEED`].
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

/// A key of the size of GoHighLevel's deprecated one, or near it, made anew in every run.
static RSA: LazyLock<RsaKeyPair> =
    LazyLock::new(|| RsaKeyPair::generate(KeySize::Rsa2048).expect("the machine has randomness"));

/// Settings, as they are kept.
pub(super) fn pairs(settings: &[(&'static str, &str)]) -> Pairs {
    settings.iter().map(|(name, value)| (*name, (*value).to_owned())).collect()
}

/// Whether two forms have the same fields: `%2b` and `%2B` are two spellings of one.
pub(super) fn same_form(one: &[u8], other: &[u8]) -> bool {
    let fields = |body| form_urlencoded::parse(body).into_owned().collect::<Vec<_>>();
    fields(one) == fields(other)
}

/// `Bearer` is the same in any case.
pub(super) fn scheme_in_any_case(value: &str) -> String {
    let (scheme, rest) = value.split_once(' ').unwrap_or_default();
    format!("{} {rest}", scheme.to_lowercase())
}

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
    let signature = ed25519(&[time.as_bytes(), b"|", body].concat());
    vec![("telnyx-timestamp", time), ("telnyx-signature-ed25519", signature)]
}

/// As systems do whose makers we do not know.
pub(super) fn generic(_: &str, body: &[u8], _: DateTime<Utc>) -> Pairs {
    let mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("HMAC takes keys of any length");
    vec![("x-signature", BASE64_STANDARD.encode(mac.chain_update(body).finalize().into_bytes()))]
}

pub(super) fn gohighlevel(_: &str, body: &[u8], _: DateTime<Utc>) -> Pairs {
    vec![("x-ghl-signature", ed25519(body))]
}

pub(super) fn gohighlevel_rsa(_: &str, body: &[u8], _: DateTime<Utc>) -> Pairs {
    let mut signature = vec![0; RSA.public_modulus_len()];
    RSA.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), body, &mut signature).expect("there is room for it");
    vec![("x-wh-signature", BASE64_STANDARD.encode(signature))]
}

/// The public part of the key of [`gohighlevel_rsa`].
pub(super) fn rsa_public_key() -> String {
    let der = RSA.public_key().as_der().expect("a key that was made can be written");
    BASE64_STANDARD.encode(der.as_ref())
}

fn ed25519(signed: &[u8]) -> String {
    let pair = Ed25519KeyPair::from_seed_unchecked(&SEED).expect("a seed of 32 bytes");
    assert_eq!(BASE64_STANDARD.encode(pair.public_key()), PUBLIC_KEY);
    BASE64_STANDARD.encode(pair.sign(signed))
}
