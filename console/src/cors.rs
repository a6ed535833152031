//! Which pages may ask from a browser: those of the origins in `CORS_ORIGINS`, with the token like everybody else.

use axum::http::{HeaderValue, Method, Uri, header};
use shared::env::{Env, EnvError};
use tower_http::cors::CorsLayer;

const ORIGINS: &str = "CORS_ORIGINS";

/// `None` where no origin is set: then no page from elsewhere is told anything.
///
/// # Errors
/// When one is no origin.
pub(crate) fn layer(env: &Env) -> Result<Option<CorsLayer>, EnvError> {
    let origins: Option<Vec<_>> = env.list(ORIGINS).iter().map(|text| origin(text)).collect();
    let why = "expected origins such as https://desk.example.com, separated by commas";
    let origins = origins.ok_or_else(|| EnvError::Invalid { name: ORIGINS.to_owned(), why: why.to_owned() })?;
    Ok((!origins.is_empty()).then(|| {
        CorsLayer::new()
            .allow_origin(origins)
            .allow_methods([Method::GET, Method::POST])
            .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE])
    }))
}

/// As browsers write it: scheme, host in lower case, and a port that is not the scheme's own.
fn origin(text: &str) -> Option<HeaderValue> {
    let uri: Uri = text.parse().ok()?;
    let scheme = uri.scheme_str().filter(|scheme| ["http", "https"].contains(scheme))?;
    let bare = uri.path_and_query().is_none_or(|rest| rest == "/");
    let origin = format!("{scheme}://{}", uri.authority()?).to_lowercase();
    HeaderValue::try_from(origin).ok().filter(|_| bare)
}
