//! Reads questions. One that cannot be read is refused as problem JSON, like everything else.

use std::time::Duration;

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Request},
    http::{StatusCode, Uri, request::Parts},
};
use chrono::Datelike;
use serde::de::DeserializeOwned;
use shared::service::problem::Problem;

/// PostgreSQL has no NUL in text, and says so to every question with one.
const ESCAPED_NUL: &[u8] = b"\\u0000";

/// For a whole body.
const PATIENCE: Duration = Duration::from_secs(60);

/// The query string.
pub(crate) struct Query<T>(pub(crate) T);

/// The name of a call or conversation in the path: ours or the provider's.
pub(crate) struct Name(pub(crate) String);

/// The body as it is.
pub(crate) struct Body(pub(crate) Bytes);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        read(&parts.uri).map(Self)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Name {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read = axum::extract::Path::from_request_parts(parts, state).await;
        let name = read.ok().map(|axum::extract::Path(name): axum::extract::Path<String>| name);
        let name = name.filter(|name| !name.contains('\0'));
        name.map(Self).ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "there is no such call"))
    }
}

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let unreadable = |status| Problem::new(status, "the body cannot be read, or is too large");
        let body = tokio::time::timeout(PATIENCE, Bytes::from_request(request, state)).await;
        let body = body.map_err(|_| Problem::new(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time"))?;
        let body = body.map_err(|rejected| unreadable(rejected.status()))?;
        match body.windows(ESCAPED_NUL.len()).any(|bytes| bytes == ESCAPED_NUL) {
            true => Err(unreadable(StatusCode::BAD_REQUEST)),
            false => Ok(Self(body)),
        }
    }
}

/// What a query string asks.
pub(crate) fn read<T: DeserializeOwned>(uri: &Uri) -> Result<T, Problem> {
    let nul = uri.query().is_some_and(|query| query.contains("%00"));
    let asked = axum::extract::Query::try_from_uri(uri).ok().filter(|_| !nul);
    let detail = "a parameter is unknown, or there twice, or cannot be read; /openapi.json lists what there is";
    asked.map(|axum::extract::Query(asked)| asked).ok_or_else(|| Problem::new(StatusCode::BAD_REQUEST, detail))
}

/// Whether both databases can be asked about such a day.
pub(crate) fn is_plausible(day: &impl Datelike) -> bool {
    (0..=9999).contains(&day.year())
}
