//! The signature of Standard Webhooks: `v1,` and base64 of HMAC-SHA256 over `<id>.<timestamp>.<body>`, one for each secret
//! (specification `standard-webhooks/standard-webhooks`, "Signature scheme").

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
    prelude::BASE64_STANDARD,
};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretSlice};
use sha2::Sha256;

use crate::env::{Env, EnvError};

const SETTING: &str = "TARGET_SECRET";
const PREFIX: &str = "whsec_";
/// Bytes of a key, as the specification wants them.
const LENGTH: std::ops::RangeInclusive<usize> = 24..=64;
/// Keys are written with and without padding.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The keys in force: more than one while one is replaced.
pub(super) struct Secrets(Vec<SecretSlice<u8>>);

impl Secrets {
    /// Reads `TARGET_SECRET`.
    pub(super) fn from_env(env: &Env) -> Result<Self, EnvError> {
        let keys = env.list(SETTING).iter().map(|text| key(text)).collect::<Option<Vec<_>>>();
        match keys {
            Some(keys) if keys.is_empty() => Err(EnvError::Missing(SETTING.to_owned())),
            Some(keys) => Ok(Self(keys)),
            None => {
                let why = "expected whsec_ and 24 to 64 bytes in base64, such as whsec_$(openssl rand -base64 32)";
                Err(EnvError::Invalid { name: SETTING.to_owned(), why: why.to_owned() })
            }
        }
    }

    /// The value of `webhook-signature`. `at` is in seconds since 1970.
    pub(super) fn sign(&self, id: &str, at: i64, body: &[u8]) -> String {
        let signature = |key: &SecretSlice<u8>| {
            let mac = Hmac::<Sha256>::new_from_slice(key.expose_secret()).expect("HMAC takes a key of any length");
            let mac = mac.chain_update(format!("{id}.{at}.")).chain_update(body);
            format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()))
        };
        self.0.iter().map(signature).collect::<Vec<_>>().join(" ")
    }
}

fn key(text: &str) -> Option<SecretSlice<u8>> {
    let bytes = LENIENT.decode(text.strip_prefix(PREFIX)?).ok()?;
    LENGTH.contains(&bytes.len()).then(|| bytes.into())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests may panic")]
    use super::*;

    fn secrets(setting: &str) -> Result<Secrets, EnvError> {
        Secrets::from_env(&Env::from_pairs([(SETTING, setting)]))
    }

    /// Made, and found right, by the package `standardwebhooks` 1.1.0 of PyPI: `Webhook(secret).sign(id, time, body)`.
    #[test]
    fn signs_as_the_sdk_does() {
        let body = "{\"type\":\"call.ended\",\"data\":{\"name\":\"Zoë Müller\"}}".as_bytes();
        let (id, at) = ("msg_2KWPBgLlAfxdpx2AI54pPJ85f4W", 1_763_630_000);
        let old = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let new = "whsec_dGhpcyBpcyBhIHNlY29uZCBzZWNyZXQgb2YgNDAgYnl0ZXM";
        let by_old = "v1,jHDQu6MRUyaipgK3mSm3yeMovrArHV1XZFQxlTPy7Vs=";
        let by_new = "v1,xBDFjCraUGYuklidXowyuPAXzGYm3XWk0YkPdw1gS/k=";
        assert_eq!(secrets(old).unwrap().sign(id, at, body), by_old);
        let both = secrets(&format!("{new},{old}")).unwrap();
        assert_eq!(
            both.sign(id, at, body),
            format!("{by_new} {by_old}"),
            "either secret verifies while one is replaced"
        );
    }

    #[test]
    fn a_secret_that_cannot_be_used_is_refused_and_not_repeated() {
        assert!(matches!(secrets(""), Err(EnvError::Missing(_))));
        for unusable in ["MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_c2hvcnQ=", "whsec_not base64 at all"] {
            let error = secrets(unusable).err().unwrap().to_string();
            assert!(error.contains(SETTING) && !error.contains(unusable), "{error}");
        }
    }
}
