//! Refusals as RFC 9457 problem JSON.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::recordings::StoreError;

/// The media type of refusals.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// The answer to a request that is not carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    status: StatusCode,
    detail: String,
    field: Option<String>,
    candidates: Vec<String>,
    hint: Option<Hint>,
}

/// Why a request was not carried out (RFC 9457).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// Always `about:blank`: the status says it all.
    #[schema(example = "about:blank")]
    r#type: &'static str,
    /// The status in words.
    #[schema(example = "Unprocessable Entity")]
    title: &'static str,
    #[schema(example = 422)]
    status: u16,
    /// What is wrong.
    #[schema(example = "not a phone number")]
    detail: String,
    /// What is at fault, where it is one field.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "to_number")]
    field: Option<String>,
    /// What may have been meant, where that is not clear: each names one thing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(example = json!(["cloudtalk:4711", "generic:4711"]))]
    candidates: Vec<String>,
}

/// What a header of the answer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hint {
    RetryAfter(u32),
    Bearer,
}

impl Problem {
    /// A refusal. `detail` is for whoever sent the request, and never repeats what they sent.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), field: None, candidates: Vec::new(), hint: None }
    }

    /// With another status.
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// Names the field that is at fault.
    pub fn field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// Names what may have been meant.
    pub fn candidates(mut self, candidates: Vec<String>) -> Self {
        self.candidates = candidates;
        self
    }

    /// Says when to try again.
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.hint = Some(Hint::RetryAfter(seconds));
        self
    }

    /// 401, which must say how to identify.
    pub fn unauthorized(detail: impl Into<String>) -> Self {
        let mut problem = Self::new(StatusCode::UNAUTHORIZED, detail);
        problem.hint = Some(Hint::Bearer);
        problem
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = ProblemBody {
            r#type: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: self.detail,
            field: self.field,
            candidates: self.candidates,
        };
        let mut response = (self.status, Json(body)).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        match self.hint {
            Some(Hint::RetryAfter(seconds)) => response.headers_mut().insert(header::RETRY_AFTER, seconds.into()),
            Some(Hint::Bearer) => {
                response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
            }
            None => None,
        };
        response
    }
}

impl From<sqlx::Error> for Problem {
    /// The database is away, or something is wrong with it: the caller may try again.
    fn from(error: sqlx::Error) -> Self {
        tracing::error!(%error, "the database failed a request");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "the database is out of reach").retry_after(5)
    }
}

impl From<StoreError> for Problem {
    /// The store is away, or the database knows of an object that the store does not.
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "the object store failed a request");
        match error {
            StoreError::NotFound(_) => {
                Self::new(StatusCode::NOT_FOUND, "the audio is not in the object store any more")
            }
            StoreError::Unreachable(_) | StoreError::Refused(_) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "the object store is out of reach").retry_after(5)
            }
        }
    }
}

/// For a router's fallback.
pub async fn not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "there is nothing here")
}

/// For a router's fallback of methods.
pub async fn method_not_allowed() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "this method is not for this path")
}

/// What a caught panic is answered with.
pub fn panicked(_: Box<dyn std::any::Any + Send>) -> Response {
    tracing::error!("a request handler panicked");
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "a fault of ours, which is logged").into_response()
}
