//! The transport under async-openai, for every server that speaks OpenAI's HTTP API. `server`: which one it is, and its models.
//!
//! The library retries by itself (on a worker that multiplies with the job's own attempts), loses the status of answers
//! that do not look like OpenAI's, never shows `Retry-After`, and logs the body of what it cannot read. So it is given a
//! service of ours, which sends through [`Vendor`] and hands on nothing but complete answers of 2xx.

mod server;

use std::time::Duration;

use async_openai::{Client, config::OpenAIConfig, error::OpenAIError, middleware::HttpRequestFactory};
use axum::http::{self, HeaderValue, header};
use bytes::{Bytes, BytesMut};
use reqwest::{Request, RequestBuilder, Response};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

pub use server::{Models, Server, notice};

use super::{ClientError, ErrorKind, Vendor};
use crate::domain::StepError;

/// Answers are read up to this many bytes. An hour of speech with a time for each word takes about 2 MB.
const ANSWER_LIMIT: usize = 32 << 20;
/// Codes with which OpenAI says that paying, not waiting, helps (facts, crm_ai §2.3). They come with status 429.
const QUOTA_CODES: [&str; 5] = [
    "insufficient_quota",
    "credit_balance_exhausted",
    "organization_spend_limit_exceeded",
    "project_spend_limit_exceeded",
    "organization_usage_limit_exceeded",
];
/// How often an account without credit is tried again.
const QUOTA_PAUSE: Duration = Duration::from_secs(15 * 60);

/// A client for the server at `base_url` (with `/v1`, without a trailing slash), under the vendor's circuit.
///
/// One call is one request: nothing is retried here, and nothing waited for. Who calls has been admitted ([`Vendor::admit`])
/// before any money was set aside for the request. What goes wrong is read with [`client_error`]. It waits long for an
/// answer ([`Vendor::patient`]), because inference says nothing until it is done; the step's deadline bounds it.
fn client(vendor: Vendor, base_url: &str, api_key: Option<&SecretString>) -> Client<OpenAIConfig> {
    let bearer = api_key.and_then(|key| bearer(vendor.name(), key));
    // All four are stated, because the library fills in what is not from the process environment.
    let config = OpenAIConfig::new().with_api_base(base_url).with_api_key("").with_org_id("").with_project_id("");
    let http = vendor.patient().clone();
    let send = move |factory: HttpRequestFactory| {
        let (vendor, bearer) = (vendor.clone(), bearer.clone());
        async move {
            let request = authorized(factory.build().await?, bearer);
            send(&vendor, request).await.map_err(|e| OpenAIError::Boxed(Box::new(e)))
        }
    };
    // In this order: setting the client after the service puts the retrying service back.
    Client::build(http, config).with_http_service(tower::service_fn(send))
}

/// What went wrong in a call through [`client`], with the status, waiting time and body that the server gave.
pub fn client_error(vendor: &'static str, error: OpenAIError) -> ClientError {
    match error {
        OpenAIError::Boxed(inner) => match inner.downcast::<ClientError>() {
            Ok(error) => *error,
            Err(_) => ClientError::nonsense(vendor, "could not be called"),
        },
        OpenAIError::Reqwest(error) => ClientError::from_transport(vendor, &error),
        OpenAIError::ApiError(error) => {
            ClientError::from_parts(vendor, error.status_code, None, error.api_error.message)
        }
        _ => ClientError::nonsense(vendor, "answered something else than was asked for"),
    }
}

/// The verdict on a failed call. An account without credit is left alone by everyone for a quarter of an hour
/// (`quota-exhausted`), and no attempt is used up; all else is as [`ClientError`] says.
pub async fn step_error(vendor: &Vendor, error: ClientError) -> StepError {
    let spent = error.is(429) && error_codes(&error.body).iter().any(|code| QUOTA_CODES.contains(&code.as_str()));
    if !spent {
        return error.into();
    }
    let paused = ClientError { kind: ErrorKind::RateLimited { after: QUOTA_PAUSE }, ..error };
    vendor.note(Some(&paused)).await;
    StepError::snooze("quota-exhausted", QUOTA_PAUSE, paused)
}

/// What an error body gives as `code` and `type`, in this order; empty when it has another shape. Some servers send an
/// integer as code, or a text instead of the object.
pub fn error_codes(body: &str) -> Vec<String> {
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    ["code", "type"].iter().filter_map(|name| body["error"][name].as_str()).map(str::to_owned).collect()
}

fn bearer(vendor: &'static str, key: &SecretString) -> Option<HeaderValue> {
    let Ok(mut value) = HeaderValue::try_from(format!("Bearer {}", key.expose_secret())) else {
        tracing::warn!(vendor, "the API key holds characters that no header can carry; calling without it");
        return None;
    };
    value.set_sensitive(true);
    Some(value)
}

fn authorized(mut request: Request, bearer: Option<HeaderValue>) -> Request {
    match bearer {
        Some(value) => request.headers_mut().insert(header::AUTHORIZATION, value),
        None => request.headers_mut().remove(header::AUTHORIZATION),
    };
    request
}

async fn send(vendor: &Vendor, request: Request) -> Result<Response, ClientError> {
    let asked_in_json = request.headers().get(header::CONTENT_TYPE).is_some_and(|v| v == "application/json");
    let response = vendor.send_admitted(RequestBuilder::from_parts(vendor.patient().clone(), request)).await?;
    let status = response.status();
    if !status.is_success() {
        return Err(ClientError::from_parts(vendor.name(), status, None, String::new()));
    }
    let read = read(vendor.name(), response, asked_in_json).await;
    if let Err(error) = &read {
        vendor.note(Some(error)).await;
    }
    let mut answer = http::Response::new(read?);
    *answer.status_mut() = status;
    Ok(answer.into())
}

/// The whole body. A question in JSON is answered in JSON; checking that here keeps the body out of the library's log.
async fn read(vendor: &'static str, mut response: Response, json: bool) -> Result<Bytes, ClientError> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(|e| ClientError::from_transport(vendor, &e))? {
        if body.len() + chunk.len() > ANSWER_LIMIT {
            return Err(ClientError::nonsense(vendor, "answered without end"));
        }
        body.extend_from_slice(&chunk);
    }
    if json && serde_json::from_slice::<serde::de::IgnoredAny>(&body).is_err() {
        return Err(ClientError::nonsense(vendor, "answered something that is not JSON"));
    }
    Ok(body.freeze())
}
