//! The one HTTP stack. [`Vendor`] calls a configured base URL, under the budget and circuit that all workers share, and
//! turns what goes wrong into a [`ClientError`] whose verdict is known. [`guard`] fetches URLs that came from outside.

mod cause;
mod error;
pub mod guard;
pub mod openai;

use std::{sync::Arc, time::Duration};

pub use error::{ClientError, ErrorKind, retry_after};
use futures::{StreamExt, TryStreamExt};
use reqwest::{RequestBuilder, Response};

use crate::{
    budgets::{Budgets, Limit},
    clock::Clock,
    ledger::Ledger,
    locks::Locks,
    recordings::ByteStream,
};

/// What clients of outside systems are made of. Cheap to clone.
#[derive(Clone)]
pub struct Outside {
    /// For configured base URLs, which are trusted. Follows no redirects.
    pub http: reqwest::Client,
    /// The same for inference servers, which send no byte until they are done.
    pub patient: reqwest::Client,
    /// Shared limits and circuits.
    pub budgets: Budgets,
    /// What paid requests cost.
    pub ledger: Ledger,
    /// What only one at a time may do.
    pub locks: Locks,
    /// The time.
    pub clock: Clock,
}

impl Outside {
    /// Clients with sane time-outs: 5 s to connect; 60 s without a byte, 20 minutes for the patient one. A request's own
    /// deadline is the step's.
    ///
    /// # Errors
    /// When the TLS set-up of the machine is unusable.
    pub fn new(budgets: Budgets, clock: Clock) -> anyhow::Result<Self> {
        let http = http_client(Duration::from_secs(60))?;
        let patient = http_client(Duration::from_secs(20 * 60))?;
        Ok(Self { http, patient, budgets, ledger: Ledger::none(), locks: Locks::unshared(), clock })
    }

    /// The same, with locks that are shared.
    pub fn with_locks(self, locks: Locks) -> Self {
        Self { locks, ..self }
    }

    /// The same, with what is paid written down here.
    pub fn with_ledger(self, ledger: Ledger) -> Self {
        Self { ledger, ..self }
    }

    /// A client for one vendor. `limit` is the vendor's own, shared by every process with the same database.
    pub fn vendor(&self, name: &'static str, limit: Option<Limit>) -> Vendor {
        Vendor { name, limit, outside: Arc::new(self.clone()) }
    }
}

/// Calls one vendor.
#[derive(Clone)]
pub struct Vendor {
    name: &'static str,
    limit: Option<Limit>,
    outside: Arc<Outside>,
}

impl Vendor {
    /// The vendor's name: budget row, metric label, log field.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The client to build requests with.
    pub fn http(&self) -> &reqwest::Client {
        &self.outside.http
    }

    /// The client to build requests with where an answer may take minutes to begin.
    pub fn patient(&self) -> &reqwest::Client {
        &self.outside.patient
    }

    /// The time.
    pub fn clock(&self) -> &Clock {
        &self.outside.clock
    }

    /// Sends a request within the vendor's budget. Answers of 2xx and 3xx come back as they are.
    ///
    /// A 429, or an answer that says it was the last one allowed, pauses the vendor for all workers until it said it is
    /// back; failures to answer open its circuit.
    ///
    /// # Errors
    /// [`ClientError`], with the answer's status and (bounded) body.
    pub async fn send(&self, request: RequestBuilder) -> Result<Response, ClientError> {
        self.admit().await?;
        self.send_admitted(request).await
    }

    /// The same for whoever was admitted before.
    async fn send_admitted(&self, request: RequestBuilder) -> Result<Response, ClientError> {
        let sent = request.send().await;
        let answer = match sent {
            Ok(response) if response.status().as_u16() < 400 => {
                if let Some(wait) = error::used_up(response.headers(), self.outside.clock.now()) {
                    self.outside.budgets.pause(self.name, wait).await;
                }
                Ok(response)
            }
            Ok(response) => Err(ClientError::from_response(self.name, response, self.outside.clock.now()).await),
            Err(e) => Err(ClientError::from_transport(self.name, &e)),
        };
        self.note(answer.as_ref().err()).await;
        answer
    }

    /// Waits for, or is refused, one call's worth of budget. For clients that bring their own transport, or do something
    /// between this and sending.
    ///
    /// # Errors
    /// [`ErrorKind::HeldBack`] when the vendor is not to be called before some time.
    pub async fn admit(&self) -> Result<(), ClientError> {
        self.outside.budgets.admit(self.name, self.limit).await.map_err(|wait| ClientError::held_back(self.name, wait))
    }

    /// Tells the shared circuit how a call went.
    pub async fn note(&self, failure: Option<&ClientError>) {
        match failure {
            None => self.outside.budgets.succeeded(self.name).await,
            Some(e) => match e.kind {
                ErrorKind::RateLimited { after } => self.outside.budgets.pause(self.name, after).await,
                ErrorKind::Unreachable | ErrorKind::Broken => self.outside.budgets.failed(self.name).await,
                ErrorKind::Refused => self.outside.budgets.succeeded(self.name).await,
                ErrorKind::HeldBack(_) | ErrorKind::Busy { .. } | ErrorKind::NoCredentials => {}
            },
        }
    }
}

fn http_client(read_timeout: Duration) -> reqwest::Result<reqwest::Client> {
    builder(read_timeout).build()
}

fn builder(read_timeout: Duration) -> reqwest::ClientBuilder {
    #[expect(clippy::disallowed_methods, reason = "the one place that builds HTTP clients")]
    let builder = reqwest::Client::builder();
    builder
        .connect_timeout(Duration::from_secs(5))
        .read_timeout(read_timeout)
        .redirect(reqwest::redirect::Policy::none())
        .pool_max_idle_per_host(64)
        .user_agent(concat!("tapedeck/", env!("CARGO_PKG_VERSION")))
}

/// Bytes on their way from outside, unproven.
pub struct Download {
    /// The bytes.
    pub stream: ByteStream,
    /// The announced length in bytes.
    pub length: Option<u64>,
    /// The announced media type.
    pub content_type: Option<String>,
}

impl Download {
    /// The body of an answer. Errors of its stream name the vendor and what happened, never the URL.
    pub fn from_response(vendor: &'static str, response: Response) -> Self {
        let length = response.content_length();
        let content_type = response.headers().get(reqwest::header::CONTENT_TYPE);
        let content_type = content_type.and_then(|text| text.to_str().ok()).map(str::to_owned);
        let stream =
            response.bytes_stream().map_err(move |e| std::io::Error::other(ClientError::from_transport(vendor, &e)));
        Self { stream: stream.boxed(), length, content_type }
    }
}
