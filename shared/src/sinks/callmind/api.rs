//! The requests. Callmind has no way to look a record up by its `callSid`: creating it again is how a lost id is found
//! (facts: crm_ai §4, gaps 4 and 5).

use reqwest::{Method, RequestBuilder, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Owner, record::Record};
use crate::http::{ClientError, Vendor};

/// Callmind's HTTP API.
pub(super) struct Api {
    vendor: Vendor,
    /// Ends in `/api`.
    base_url: String,
    token: SecretString,
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
#[serde(rename_all = "camelCase")]
struct NewRecord<'a> {
    agent_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    org_id: Option<&'a str>,
    #[serde(flatten)]
    record: &'a Record,
}

#[derive(Deserialize)]
struct HasId {
    id: Option<String>,
}

impl Api {
    /// The guide gives the base URL with `/api` and repeats it in every path: it must occur once.
    pub(super) fn new(vendor: Vendor, base_url: &str, token: SecretString) -> Self {
        let base_url = format!("{}/api", base_url.trim_end_matches("/api").trim_end_matches('/'));
        Self { vendor, base_url, token }
    }

    /// Creates the record.
    pub(super) async fn create(&self, owner: &Owner, record: &Record) -> Result<Created, ClientError> {
        let (user_id, org_id) = (owner.user_id.as_deref(), owner.org_id.as_deref());
        let body = NewRecord { agent_id: &owner.agent_id, user_id, org_id, record };
        match self.send(self.request(Method::POST, "/call-history").json(&body)).await {
            Ok((status, answer)) => match id_in(&answer) {
                Some(id) => Ok(Created { id: Some(id), existed: status != StatusCode::CREATED }),
                None => Err(ClientError::nonsense(self.vendor.name(), "answered without an id")),
            },
            Err(error) if error.is(409) => Ok(Created { id: id_in(error.body.as_bytes()), existed: true }),
            Err(error) => Err(error),
        }
    }

    /// Updates the record with all that is known.
    pub(super) async fn update(&self, id: &str, record: &Record) -> Result<(), ClientError> {
        let path = format!("/call-history/{id}/status");
        let (_, answer) = self.send(self.request(Method::PATCH, &path).json(&record.update())).await?;
        self.understood(&answer)
    }

    /// Tells of the call's end by its `callSid`, for a record whose id cannot be found out.
    pub(super) async fn complete(&self, record: &Record) -> Result<(), ClientError> {
        let update = record.update();
        let known = ["duration", "recordingUrl", "transcript", "sentiment", "summary"];
        let mut body = json!({"callSid": record.call_sid});
        for key in known.into_iter().filter(|key| !update[*key].is_null()) {
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
        request.bearer_auth(self.token.expose_secret()).header("Accept", "application/json")
    }

    async fn send(&self, request: RequestBuilder) -> Result<(StatusCode, Vec<u8>), ClientError> {
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

fn id_in(answer: &[u8]) -> Option<String> {
    serde_json::from_slice::<HasId>(answer).ok()?.id.filter(|id| !id.is_empty())
}
