//! The transport under async-openai, for every server that speaks OpenAI's HTTP API.
//!
//! The library retries by itself (on a worker that multiplies with the job's own attempts), loses the status of answers
//! that do not look like OpenAI's, never shows `Retry-After`, and logs the body of what it cannot read. So it is given a
//! service of ours, which sends through [`Vendor`] and hands on nothing but complete answers of 2xx.

use async_openai::{Client, config::OpenAIConfig, error::OpenAIError, middleware::HttpRequestFactory};
use axum::http::{self, HeaderValue, header};
use bytes::{Bytes, BytesMut};
use reqwest::{Request, RequestBuilder, Response};
use secrecy::{ExposeSecret, SecretString};

use super::{ClientError, Vendor};

/// Answers are read up to this many bytes. An hour of speech with a time for each word takes about 2 MB.
const ANSWER_LIMIT: usize = 32 << 20;

/// A client for the server at `base_url` (with `/v1`, without a trailing slash), under the vendor's budget and circuit.
///
/// One call is one request: nothing is retried here. What goes wrong is read with [`client_error`]. It waits long for an
/// answer ([`Vendor::patient`]), because inference says nothing until it is done; the step's deadline bounds it.
pub fn client(vendor: Vendor, base_url: &str, api_key: Option<&SecretString>) -> Client<OpenAIConfig> {
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
    let response = vendor.send(RequestBuilder::from_parts(vendor.patient().clone(), request)).await?;
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
