//! Fetches URLs that came from outside, which are hostile until shown otherwise.
//!
//! - [`allow`]: which origins a provider's recordings may lie on. To add one: the provider's own list.
//! - [`addresses`]: which addresses are public. Names are judged by what they resolve to, by the very resolver that the
//!   connection uses, so that a name cannot point elsewhere a moment later.
//!
//! Redirects are followed by hand and judged like the first URL, but may lead to any public https host, unless the guard is
//! strict: vendors hand over to their storage. Credentials stay behind when the origin changes. No proxy is used: it would resolve names for us.

pub mod addresses;
pub mod allow;

use std::{io, sync::Arc, time::Duration};

use futures::StreamExt;
use reqwest::{
    Client, Response,
    dns::{Name, Resolve, Resolving},
    header::{HeaderMap, LOCATION},
};
use url::{Host, Url};

pub use allow::{Allowed, Allowlist};

use super::{ClientError, Download};
use crate::clock::Clock;

/// Time without a byte after which an answer counts as broken off.
const QUIET: Duration = Duration::from_secs(60);
/// Redirects that are followed.
const REDIRECTS: usize = 5;

/// Why a URL from outside was not fetched. No text of it holds a path or a query: they may be the secret.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// Not a URL that can be fetched at all.
    #[error("not an http(s) URL without credentials in it")]
    NotAUrl,
    /// The host is on no list.
    #[error("host {host} is not allowed")]
    NotAllowed {
        /// Host and, unless standard, port.
        host: String,
    },
    /// The host is, or resolves to, an address that is not public, or is not asked over https.
    #[error("host {host} is not public")]
    NotPublic {
        /// Host and, unless standard, port.
        host: String,
    },
    /// Redirected too often.
    #[error("more than {REDIRECTS} redirects")]
    TooManyRedirects,
    /// Announced as larger than we take.
    #[error("announced {announced} bytes; more than {limit} are not taken")]
    TooLarge {
        /// Announced bytes.
        announced: u64,
        /// Our limit in bytes.
        limit: u64,
    },
    /// The host did not answer, or answered with an error.
    #[error(transparent)]
    Client(#[from] ClientError),
}

/// A client for URLs from outside. Cheap to clone.
#[derive(Clone)]
pub struct Guard {
    vendor: &'static str,
    allowed: Arc<Allowlist>,
    max_bytes: u64,
    /// Redirects, too, must lead to a host on the list.
    strict: bool,
    clock: Clock,
    /// Connects to public addresses only.
    public: Client,
    /// For origins that our own settings name.
    trusted: Client,
}

impl Guard {
    /// A guard for one vendor's URLs. Reading a body breaks off beyond `max_bytes`, with [`io::ErrorKind::FileTooLarge`].
    ///
    /// # Errors
    /// When the TLS set-up of the machine is unusable.
    pub fn new(vendor: &'static str, allowed: Allowlist, max_bytes: u64, clock: Clock) -> anyhow::Result<Self> {
        let public = super::builder(QUIET).no_proxy().dns_resolver(PublicOnly).build()?;
        let trusted = super::builder(QUIET).no_proxy().build()?;
        Ok(Self { vendor, allowed: Arc::new(allowed), max_bytes, strict: false, clock, public, trusted })
    }

    /// Redirects must lead to hosts on the list as well: for vendors whose storage is known.
    #[must_use]
    pub fn strict(self) -> Self {
        Self { strict: true, ..self }
    }

    /// Whether the URL's host is on the list. Says nothing yet of what it resolves to.
    ///
    /// # Errors
    /// [`GuardError::NotAUrl`], [`GuardError::NotAllowed`].
    pub fn permits(&self, url: &str) -> Result<Url, GuardError> {
        let url = usable(url)?;
        match self.allowed.judge(&url) {
            Some(_) => Ok(url),
            None => Err(GuardError::NotAllowed { host: shown(&url) }),
        }
    }

    /// Fetches a URL whose host must be on the list. `credentials` are sent to that origin only.
    ///
    /// # Errors
    /// Any [`GuardError`].
    pub async fn get(&self, url: &str, credentials: HeaderMap) -> Result<Download, GuardError> {
        let url = self.permits(url)?;
        self.follow(url, credentials).await
    }

    /// Follows the redirect that a trusted base URL answered with: to any public https host, without credentials.
    ///
    /// # Errors
    /// Any [`GuardError`].
    pub async fn redirected(&self, response: &Response) -> Result<Download, GuardError> {
        let next = self.location(response)?;
        self.follow(next, HeaderMap::new()).await
    }

    async fn follow(&self, mut url: Url, mut credentials: HeaderMap) -> Result<Download, GuardError> {
        for _ in 0..=REDIRECTS {
            let response = self.ask(&url, &credentials).await?;
            if !response.status().is_redirection() {
                return self.accept(response).await;
            }
            let next = self.location(&response)?;
            if next.origin() != url.origin() {
                credentials.clear();
            }
            url = next;
        }
        Err(GuardError::TooManyRedirects)
    }

    async fn ask(&self, url: &Url, credentials: &HeaderMap) -> Result<Response, GuardError> {
        let not_public = || GuardError::NotPublic { host: shown(url) };
        let client = match self.allowed.judge(url) {
            Some(Allowed::Trusted) => &self.trusted,
            Some(Allowed::Public) | None => {
                let literal = match url.host() {
                    Some(Host::Ipv4(ip)) => Some(ip.into()),
                    Some(Host::Ipv6(ip)) => Some(ip.into()),
                    _ => None,
                };
                if url.scheme() != "https" || literal.is_some_and(|ip| !addresses::is_public(ip)) {
                    return Err(not_public());
                }
                &self.public
            }
        };
        match client.get(url.clone()).headers(credentials.clone()).send().await {
            Ok(response) => Ok(response),
            Err(error) if caused_by_private_address(&error) => Err(not_public()),
            Err(error) => Err(ClientError::from_transport(self.vendor, &error).into()),
        }
    }

    fn location(&self, response: &Response) -> Result<Url, GuardError> {
        let to = response.headers().get(LOCATION).and_then(|to| to.to_str().ok());
        let to = to.ok_or_else(|| ClientError::nonsense(self.vendor, "redirected without saying where to"))?;
        let url = response.url().join(to).map_err(|_| GuardError::NotAUrl)?;
        if self.strict { self.permits(url.as_str()) } else { usable(url.as_str()) }
    }

    async fn accept(&self, response: Response) -> Result<Download, GuardError> {
        if !response.status().is_success() {
            return Err(ClientError::from_response(self.vendor, response, self.clock.now()).await.into());
        }
        let download = Download::from_response(self.vendor, response);
        match download.length {
            Some(announced) if announced > self.max_bytes => {
                Err(GuardError::TooLarge { announced, limit: self.max_bytes })
            }
            _ => Ok(bounded(download, self.max_bytes)),
        }
    }
}

/// Breaks off with [`io::ErrorKind::FileTooLarge`] once more than `max` bytes have come.
fn bounded(download: Download, max: u64) -> Download {
    let mut seen = 0_u64;
    let stream = download.stream.map(move |chunk| {
        let chunk = chunk?;
        seen = seen.saturating_add(chunk.len() as u64);
        if seen > max {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("more than {max} bytes")));
        }
        Ok(chunk)
    });
    Download { stream: stream.boxed(), ..download }
}

fn usable(url: &str) -> Result<Url, GuardError> {
    let url = Url::parse(url).map_err(|_| GuardError::NotAUrl)?;
    let bare = url.username().is_empty() && url.password().is_none();
    let fetchable = matches!(url.scheme(), "http" | "https") && url.host().is_some();
    if bare && fetchable { Ok(url) } else { Err(GuardError::NotAUrl) }
}

/// Host and port, without what may be secret.
fn shown(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Resolves names, leaving out every address that is not public.
struct PublicOnly;

#[derive(Debug, thiserror::Error)]
#[error("the name has no public address")]
struct PrivateAddress;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<_> = found.filter(|address| addresses::is_public(address.ip())).collect();
            if public.is_empty() {
                return Err(PrivateAddress.into());
            }
            Ok(Box::new(public.into_iter()) as _)
        })
    }
}

fn caused_by_private_address(error: &reqwest::Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if error.is::<PrivateAddress>() {
            return true;
        }
        cause = error.source();
    }
    false
}
