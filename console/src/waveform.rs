//! `GET /calls/{id}/waveform`: what a player draws.

use axum::{
    body::Body,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use shared::{
    audio::Waveform,
    db,
    recordings::StoreError,
    service::{App, problem::Problem},
};

use crate::{calls, question::Name};

/// What a player draws: how loud each moment of a recording is, in at most 2,000 points per channel
#[utoipa::path(get, path = "/calls/{id}/waveform", tag = "calls",
    params(("id" = String, Path, description = "the provider's id of the call (`cloudtalk:1042600731`, where several have it), or ours", example = "1042600731")),
    responses(
        (status = 200, description = "the waveform", body = Waveform),
        (status = 404, description = "no such call, no recording, or a recording that was not heard yet"),
        (status = 409, description = "several calls have this name; `candidates` has one of each"),
    ))]
pub(crate) async fn show(State(app): State<App>, Name(id): Name) -> Result<Response, Problem> {
    let call = calls::find(&app, &id).await?;
    let recording = db::recordings::find(&app.db, call.id).await?;
    let recording = recording.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "the call has no recording"))?;
    match app.recordings.get(&Waveform::key(&recording.object_key), None).await {
        Ok(json) => Ok(([(header::CONTENT_TYPE, "application/json")], Body::from_stream(json)).into_response()),
        Err(StoreError::NotFound(_)) => {
            Err(Problem::new(StatusCode::NOT_FOUND, "the recording was not heard yet: it has no waveform"))
        }
        Err(error) => {
            tracing::warn!(%error, "a waveform could not be read");
            Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the object store does not answer"))
        }
    }
}
