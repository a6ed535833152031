//! The lasting link to a call's audio. It checks its signature, then redirects to a short-lived URL of the object store or,
//! where the store has none, streams.

use std::time::Duration;

use axum::{
    body::Body,
    extract::{
        Path, Query, State,
        rejection::{PathRejection, QueryRejection},
    },
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use shared::{
    db,
    domain::{Call, ProviderId, Recording},
    service::{App, problem::Problem},
};

use crate::range::{self, Part};

/// Long enough to listen to a call to its end: players ask the short-lived URL again for every jump.
const LIFETIME: Duration = Duration::from_secs(3600);

#[derive(Deserialize)]
pub(crate) struct Signed {
    #[serde(default)]
    s: String,
}

/// `GET` and `HEAD` of `/api/recordings/{provider}/{call}?s=…`.
pub(crate) async fn serve(
    State(app): State<App>,
    path: Result<Path<(String, String)>, PathRejection>,
    query: Result<Query<Signed>, QueryRejection>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let foreign = || Problem::new(StatusCode::FORBIDDEN, "this link was not made by us, or was changed");
    // What cannot even be read, such as two signatures, is no link of ours either.
    let (Ok(Path((provider, id))), Ok(Query(signed))) = (path, query) else { return Err(foreign()) };
    let provider = ProviderId::from(provider);
    if !app.links.check(&provider, &id, &signed.s) {
        return Err(foreign());
    }
    let unknown = || Problem::new(StatusCode::NOT_FOUND, "there is no such call");
    let call = db::calls::find_by_key(&app.db, &provider, &id).await?.ok_or_else(unknown)?;
    let Some(recording) = db::recordings::find(&app.db, call.id).await? else {
        return Err(missing(&app, &call).await?);
    };
    let mut response = match (method, app.recordings.presign(&recording.object_key, LIFETIME).await?) {
        (Method::GET, Some(url)) => (StatusCode::FOUND, [(header::LOCATION, url)]).into_response(),
        (Method::GET, None) => stream(&app, &recording, &headers).await?,
        _ => head(&recording, &Part::Whole).body(Body::empty()).map_err(ours)?,
    };
    let name = format!("inline; filename=\"{}\"", file_name(&provider, &id, &recording.format));
    let safe = [
        (header::CACHE_CONTROL, "private, no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    for (header, value) in safe {
        response.headers_mut().insert(header, HeaderValue::from_static(value));
    }
    response.headers_mut().insert(header::CONTENT_DISPOSITION, HeaderValue::try_from(name).map_err(ours)?);
    Ok(response)
}

async fn stream(app: &App, recording: &Recording, headers: &HeaderMap) -> Result<Response, Problem> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    // A part of another recording than the player has begun with would be noise to it (RFC 9110 §13.1.5).
    let same = text(header::IF_RANGE).is_none_or(|asked| asked == etag(recording));
    let part = range::parse(text(header::RANGE).filter(|_| same), size(recording));
    let bytes = match &part {
        Part::Whole => app.recordings.get(&recording.object_key, None).await?,
        Part::Bytes(range) => app.recordings.get(&recording.object_key, Some(range.clone())).await?,
        Part::Unsatisfiable => return head(recording, &part).body(Body::empty()).map_err(ours),
    };
    head(recording, &part).body(Body::from_stream(bytes)).map_err(ours)
}

fn head(recording: &Recording, part: &Part) -> axum::http::response::Builder {
    let size = size(recording);
    let head = Response::builder().header(header::ACCEPT_RANGES, "bytes").header(header::ETAG, etag(recording));
    match part {
        Part::Whole => head.header(header::CONTENT_LENGTH, size),
        Part::Bytes(range) => head
            .status(StatusCode::PARTIAL_CONTENT)
            .header(header::CONTENT_RANGE, format!("bytes {}-{}/{size}", range.start, range.end - 1))
            .header(header::CONTENT_LENGTH, range.end - range.start),
        Part::Unsatisfiable => {
            head.status(StatusCode::RANGE_NOT_SATISFIABLE).header(header::CONTENT_RANGE, format!("bytes */{size}"))
        }
    }
    .header(header::CONTENT_TYPE, recording.content_type())
}

/// A recording is its bytes: fetched anew and the same, it has the same tag.
fn etag(recording: &Recording) -> String {
    format!("\"{}\"", recording.sha256)
}

fn size(recording: &Recording) -> u64 {
    u64::try_from(recording.size_bytes).unwrap_or(0)
}

/// Whether it is worth while to come back.
async fn missing(app: &App, call: &Call) -> Result<Problem, Problem> {
    Ok(match db::recordings::absence(&app.db, call).await? {
        None => Problem::new(StatusCode::NOT_FOUND, "the recording is not here yet; try again later"),
        Some(absence) => Problem::new(StatusCode::GONE, format!("there is no recording: {}", absence.why())),
    })
}

/// Of what a provider made up only letters, digits and a few marks go into a header.
fn file_name(provider: &ProviderId, id: &str, format: &str) -> String {
    let clean = |text: &str| -> String {
        text.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).take(80).collect()
    };
    format!("{}-{}.{}", clean(provider.as_str()), clean(id), clean(format))
}

fn ours(error: impl Into<axum::http::Error>) -> Problem {
    let error = error.into();
    tracing::error!(%error, "cannot answer with a recording");
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "a fault of ours, which is logged")
}
