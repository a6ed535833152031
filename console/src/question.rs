//! Reads questions. One that cannot be read is refused as problem JSON, like everything else.

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Request},
    http::{StatusCode, request::Parts},
};
use serde::de::DeserializeOwned;
use shared::service::problem::Problem;

/// The query string.
pub(crate) struct Query<T>(pub(crate) T);

/// The name of a call or conversation in the path: ours or the provider's.
pub(crate) struct Name(pub(crate) String);

/// The body as it is.
pub(crate) struct Body(pub(crate) Bytes);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read = axum::extract::Query::from_request_parts(parts, state).await;
        let detail = "a parameter is unknown, or there twice, or cannot be read; /openapi.json lists what there is";
        read.map(|axum::extract::Query(asked)| Self(asked)).map_err(|_| Problem::new(StatusCode::BAD_REQUEST, detail))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Name {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read = axum::extract::Path::from_request_parts(parts, state).await;
        let unknown = |_| Problem::new(StatusCode::NOT_FOUND, "there is no such call");
        read.map(|axum::extract::Path(name)| Self(name)).map_err(unknown)
    }
}

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let read = Bytes::from_request(request, state).await;
        read.map(Self).map_err(|rejected| Problem::new(rejected.status(), "the body cannot be read, or is too large"))
    }
}
