//! The requests. Callmind has no way to look a record up by its `callSid`: creating it again is how a lost id is found
//! (facts: crm_ai §4, gaps 4 and 5). `answer` reads what comes back.

use reqwest::{Method, RequestBuilder, StatusCode};
use secrecy::ExposeSecret;
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    answer::{self, is_duplicate, says_it_exists},
    owners::Owner,
    record::Record,
    token::Tokens,
};
use crate::http::{ClientError, Vendor};

/// What the webhook of a call's end can hold.
const COMPLETED: [&str; 5] = ["duration", "recordingUrl", "transcript", "sentiment", "summary"];

/// Callmind's HTTP API.
pub(super) struct Api {
    vendor: Vendor,
    /// Ends in `/api`.
    base_url: String,
    tokens: Tokens,
}

/// How a create was answered.
#[derive(Debug)]
pub(super) struct Created {
    /// The record's id, unless Callmind keeps it to itself.
    pub(super) id: Option<String>,
    /// Whether there was a record of that `callSid` before; a `201` may hide that.
    pub(super) existed: bool,
}

#[derive(Serialize)]
struct NewRecord<'a> {
    #[serde(flatten)]
    owner: &'a Owner,
    #[serde(flatten)]
    record: &'a Record,
}

impl Api {
    /// The guide gives the base URL with `/api` and repeats it in every path: it must occur once.
    pub(super) fn new(vendor: Vendor, base_url: &str, tokens: Tokens) -> Self {
        let base_url = format!("{}/api", base_url.trim_end_matches("/api").trim_end_matches('/'));
        Self { vendor, base_url, tokens }
    }

    /// Creates the record.
    pub(super) async fn create(&self, owner: &Owner, record: &Record) -> Result<Created, ClientError> {
        let request = self.request(Method::POST, "/call-history").json(&NewRecord { owner, record });
        match self.send(request).await {
            Ok((status, body)) => match answer::id(&body) {
                Some(id) => Ok(Created { id: Some(id), existed: status != StatusCode::CREATED }),
                None if says_it_exists(&body) => Ok(Created { id: None, existed: true }),
                None => Err(ClientError::nonsense(self.vendor.name(), "answered without an id")),
            },
            Err(error) if is_duplicate(&error) => Ok(Created { id: answer::id(error.body.as_bytes()), existed: true }),
            Err(error) => Err(error),
        }
    }

    /// Updates the record with all that is known.
    pub(super) async fn update(&self, id: &str, record: &Record) -> Result<(), ClientError> {
        let path = format!("/call-history/{id}/status");
        let (_, body) = self.send(self.request(Method::PATCH, &path).json(&record.update())).await?;
        self.understood(&body)
    }

    /// Tells of the call's begin by its `callSid`. Returns the record's id, where the answer has it.
    pub(super) async fn start(&self, owner: &Owner, record: &Record) -> Result<Option<String>, ClientError> {
        let body = record.beginning(owner.agent_id());
        match self.send(self.request(Method::POST, "/webhooks/calls/started").json(&body)).await {
            Ok((_, body)) => self.understood(&body).map(|()| answer::id(&body)),
            Err(error) if is_duplicate(&error) => Ok(answer::id(error.body.as_bytes())),
            Err(error) => Err(error),
        }
    }

    /// Tells of the call's end by its `callSid`.
    pub(super) async fn complete(&self, record: &Record) -> Result<(), ClientError> {
        let update = record.update();
        let mut body = json!({"callSid": record.call_sid});
        for key in COMPLETED.into_iter().filter(|key| !update[*key].is_null()) {
            body[key] = update[key].clone();
        }
        let (_, answer) = self.send(self.request(Method::POST, "/webhooks/calls/completed").json(&body)).await?;
        self.understood(&answer)
    }

    /// Asks for a record that cannot exist, as nothing can be read: what matters is that the token is taken.
    pub(super) async fn check(&self) -> Result<(), ClientError> {
        let request = self.request(Method::PATCH, "/call-history/tapedeck-doctor/status");
        match self.send(request.json(&json!({"status": "completed", "duration": 0}))).await {
            Err(error) if error.is(400) || error.is(404) || error.is(422) => Ok(()),
            other => other.map(drop),
        }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.vendor.http().request(method, format!("{}{path}", self.base_url));
        request.header("Accept", "application/json")
    }

    /// A token that is refused may have expired: once, it is sent again with another. Where that one is refused, too, its
    /// source may be behind, and the job waits for the next.
    async fn send(&self, request: RequestBuilder) -> Result<(StatusCode, Vec<u8>), ClientError> {
        let again = request.try_clone();
        let token = self.tokens.current().await?;
        match self.send_once(request.bearer_auth(token.expose_secret())).await {
            Err(error) if error.is(401) => match (again, self.tokens.instead_of(&token).await?) {
                (Some(again), Some(token)) => {
                    let sent = self.send_once(again.bearer_auth(token.expose_secret())).await;
                    sent.map_err(|error| if error.is(401) { self.behind() } else { error })
                }
                _ => Err(error),
            },
            sent => sent,
        }
    }

    fn behind(&self) -> ClientError {
        ClientError::no_credentials(self.vendor.name(), "refuses the token, and the one that came in its place")
    }

    async fn send_once(&self, request: RequestBuilder) -> Result<(StatusCode, Vec<u8>), ClientError> {
        let response = self.vendor.send(request).await?;
        let status = response.status();
        if !status.is_success() {
            return Err(ClientError::nonsense(self.vendor.name(), "redirects to another place"));
        }
        let body = response.bytes().await.map_err(|e| ClientError::from_transport(self.vendor.name(), &e))?;
        Ok((status, body.to_vec()))
    }

    /// What an update is answered with is not documented, so it may be nothing; but a page for people is no answer.
    fn understood(&self, answer: &[u8]) -> Result<(), ClientError> {
        if answer.is_empty() || serde_json::from_slice::<Value>(answer).is_ok() {
            return Ok(());
        }
        Err(ClientError::nonsense(self.vendor.name(), "answered something other than JSON"))
    }
}
