//! The lasting link to a recording: `{base}/api/recordings/{provider}/{call id}?s=…`. It never expires, and says nothing but
//! which call it is; whoever follows it gets a short-lived URL. Sinks are given this and nothing else.

use std::{
    net::SocketAddr,
    sync::{Arc, OnceLock},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use url::Url;

use crate::domain::{Call, ProviderId};

/// The route of the links, on the public listener.
pub const ROUTE: &str = "/api/recordings/{provider}/{call}";
/// Bytes of the signature that go into the link.
const SIGNATURE_BYTES: usize = 18;

/// Makes and checks lasting links. Cheap to clone.
#[derive(Clone)]
pub struct Links {
    base: Option<String>,
    /// Where this process serves them, if it does.
    served: Arc<OnceLock<SocketAddr>>,
    secret: SecretString,
}

impl Links {
    /// `base` is the public URL of ingest (`WEBHOOK_BASE_URL`) without a trailing slash; without it there are no links.
    pub fn new(base: Option<String>, secret: SecretString) -> Self {
        Self { base, served: Arc::default(), secret }
    }

    /// The link to a call's recording.
    pub fn link(&self, call: &Call) -> Option<String> {
        self.at(self.base.as_deref()?, call)
    }

    /// Links are served at this address, by this process.
    pub fn serve_at(&self, address: SocketAddr) {
        // The first listener's, in tests that have several.
        let _ = self.served.set(address);
    }

    /// A link that opens on this machine alone, where this process serves links. None for others: a CRM would hold it for good.
    pub fn local_link(&self, call: &Call) -> Option<String> {
        let address = self.served.get()?;
        let base = match address.ip().is_unspecified() {
            true => format!("http://localhost:{}", address.port()),
            false => format!("http://{address}"),
        };
        self.at(&base, call)
    }

    fn at(&self, base: &str, call: &Call) -> Option<String> {
        let mut url = Url::parse(base).ok()?;
        let id = call.display_id();
        url.path_segments_mut().ok()?.pop_if_empty().extend(["api", "recordings", call.provider.as_str(), &id]);
        url.query_pairs_mut().append_pair("s", &self.signature(&call.provider, &id));
        Some(url.into())
    }

    /// Whether the signature belongs to this provider and call id.
    pub fn check(&self, provider: &ProviderId, id: &str, signature: &str) -> bool {
        self.signature(provider, id).as_bytes().ct_eq(signature.as_bytes()).into()
    }

    fn signature(&self, provider: &ProviderId, id: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret.expose_secret().as_bytes())
            .expect("HMAC takes a key of any length");
        mac.update(provider.as_str().as_bytes());
        mac.update(b"/");
        mac.update(id.as_bytes());
        URL_SAFE_NO_PAD.encode(&mac.finalize().into_bytes()[..SIGNATURE_BYTES])
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests may panic")]
    use super::*;
    use crate::domain::{CallFacts, CallId};

    #[test]
    fn a_link_opens_its_own_recording_and_no_other() {
        let links = Links::new(Some("https://calls.example.test/x/".into()), "secret".to_owned().into());
        let call = Call {
            id: CallId::new(),
            provider: ProviderId::new("cloudtalk"),
            account: "default".into(),
            facts: CallFacts { provider_call_id: Some("12/3?".into()), ..CallFacts::default() },
            conclusion: None,
            created_at: "2026-11-20T09:00:00Z".parse().unwrap(),
        };
        let link = links.link(&call).unwrap();
        let (path, signature) = link.split_once("?s=").unwrap();
        assert_eq!(path, "https://calls.example.test/x/api/recordings/cloudtalk/12%2F3%3F");
        assert!(links.check(&call.provider, "12/3?", signature));
        assert!(!links.check(&call.provider, "12/4?", signature));
        assert!(!links.check(&ProviderId::new("twilio"), "12/3?", signature));
        assert!(!links.check(&call.provider, "12/3?", ""));
        let other = Links::new(None, "other".to_owned().into());
        assert!(!other.check(&call.provider, "12/3?", signature));
        assert_eq!((other.link(&call), other.local_link(&call)), (None, None));
        other.serve_at(([0, 0, 0, 0], 3000).into());
        assert_eq!(other.link(&call), None, "what others are to hold does not lead to this machine");
        let local = other.local_link(&call).unwrap();
        assert!(local.starts_with("http://localhost:3000/api/recordings/cloudtalk/12%2F3%3F?s="), "{local}");
    }
}
