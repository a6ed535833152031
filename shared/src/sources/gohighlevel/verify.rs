//! Who sent it: a marketplace app's webhooks are signed with GoHighLevel's key, a workflow's can only show a shared secret
//! (facts: crm_ai §1.8).

use aws_lc_rs::signature::{ED25519, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey, VerificationAlgorithm};
use axum::http::HeaderMap;
use base64::{Engine, prelude::BASE64_STANDARD};

use super::{PUBLIC_KEY, SECRET};
use crate::{
    env::{Env, EnvError},
    sources::{Check, SharedSecret, WebhookRequest},
};

const SIGNATURE: &str = "x-ghl-signature";
/// Deprecated since July 2026, and still the only one that some apps are sent.
const LEGACY_SIGNATURE: &str = "x-wh-signature";
/// GoHighLevel's published Ed25519 key.
const PUBLISHED: &str = "MCowBQYDK2VwAyEAi2HR1srL4o18O8BRa7gVJY7G7bupbN3H9AwJrHCDiOg=";
/// Its published RSA key, for the deprecated signature.
const PUBLISHED_LEGACY: &str = concat!(
    "MIICIjANBgkqhkiG9w0BAQEFAAOCAg8AMIICCgKCAgEAokvo/r9tVgcfZ5DysOSCFrm602qYV0MaAiNnX9O8KxMbiyRKWeL9JpCpVpt4XHIcBOK4u3cLSqJG",
    "OLaPuXw6dO0t6Q/ZVdAV5Phz+ZtzPL16iCGeK9po6D6JHBpbi989mmzMryUnQJezlYJ3DVfBcsedpinheNnyYeFXolrJvcsjDtfAeRx5ByHQmTnSdFUzuAnC",
    "9/GepgLT9SM4nCpvuxmZMxrJt5Rw+VUaQ9B8JSvbMPpez4peKaJPZHBbU3OdeCVx5klVXXZQGNHOs8gF3kvoV5rTnXV0IknLBXlcKKAQLZcY/Q9rG6Ifi9c+",
    "5vqlvHPCUJFT5XUGG5RKgOKUJ062fRtN+rLYZUV+BjafxQauvC8wSWeYja63VSUruvmNj8xkx2zE/Juc+yjLjTXpIocmaiFeAO6fUtNjDeFVkhf5LNb59vEC",
    "yrHD2SQIrhgXpO4Q3dVNA5rw576PwTzNh/AMfHKIjE4xQA1SZuYJmNnmVZLIZBlQAF9Ntd03rfadZ+yDiOXCCs9FkHibELhCHULgCsnuDJHcrGNd5/Ddm5hx",
    "GQ0ASitgHeMZ0kcIOwKDOzOU53lDza6/Y09T7sYJPQe7z0cvj7aE4B+Ax1ZoZGPzpJlZtGXCsu9aTEGEnKzmsFqwcSsnw3JB31IGKAykT1hhTiaCeIY/Oww",
    "wNUY2yvcCAwEAAQ==",
);

/// What a request may show of its sender.
pub(super) struct Proofs {
    signature: Key,
    legacy: Key,
    secret: Option<SharedSecret>,
}

/// A public key, as its DER.
struct Key(UnparsedPublicKey<Vec<u8>>);

impl Key {
    fn new(algorithm: &'static dyn VerificationAlgorithm, der: Vec<u8>) -> Self {
        Self(UnparsedPublicKey::new(algorithm, der))
    }

    /// Whether this is the signature of the body, in base64.
    fn made(&self, signature: &str, body: &[u8]) -> bool {
        BASE64_STANDARD.decode(signature.trim()).is_ok_and(|signature| self.0.verify(body, &signature).is_ok())
    }
}

impl Proofs {
    pub(super) fn from_env(env: &Env) -> Result<Self, EnvError> {
        let invalid = || EnvError::Invalid { name: PUBLIC_KEY.to_owned(), why: "expected a public key".to_owned() };
        let (signature, legacy) = match env.var(PUBLIC_KEY).map(|text| key(text).ok_or_else(invalid)).transpose()? {
            // The key that was set stands for both: of which kind it is, its bytes say.
            Some(der) => (Key::new(&ED25519, der.clone()), Key::new(&RSA_PKCS1_2048_8192_SHA256, der)),
            None => {
                let published = |text| key(text).expect("the published keys are base64");
                let legacy = published(PUBLISHED_LEGACY);
                (Key::new(&ED25519, published(PUBLISHED)), Key::new(&RSA_PKCS1_2048_8192_SHA256, legacy))
            }
        };
        Ok(Self { signature, legacy, secret: env.secret(SECRET).map(SharedSecret::new) })
    }
}

impl Check for Proofs {
    /// Without a signature, what is shown of the secret must be right.
    fn may_pass(&self, target: &str, headers: &HeaderMap) -> bool {
        match &self.secret {
            Some(secret) if !is_signed(headers) => secret.may_pass(target, headers),
            _ => true,
        }
    }

    /// Who is signed counts by the signature alone: a current one is never passed over for the deprecated one, and neither
    /// for the secret.
    fn passes(&self, request: &WebhookRequest<'_>) -> bool {
        match (shown(request.headers, SIGNATURE), shown(request.headers, LEGACY_SIGNATURE)) {
            (Some(text), _) => self.signature.made(text, request.body),
            (None, Some(text)) => self.legacy.made(text, request.body),
            (None, None) => self.secret.as_ref().is_some_and(|secret| secret.passes(request)),
        }
    }
}

/// Whether the request carries a signature at all, which workflows have none of.
pub(super) fn is_signed(headers: &HeaderMap) -> bool {
    [SIGNATURE, LEGACY_SIGNATURE].iter().any(|name| shown(headers, name).is_some())
}

/// What a header says; `N/A` stands for nothing, and what cannot be read for a wrong signature.
fn shown<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let text = headers.get(name)?.to_str().unwrap_or("?").trim();
    (!text.is_empty() && text != "N/A").then_some(text)
}

/// The DER of a key in PEM or bare base64.
fn key(text: &str) -> Option<Vec<u8>> {
    let base64: String = text.replace("\\n", "\n").lines().filter(|line| !line.contains("-----")).collect();
    let base64: String = base64.chars().filter(|c| !c.is_whitespace()).collect();
    BASE64_STANDARD.decode(base64).ok().filter(|der| der.len() >= 32)
}
