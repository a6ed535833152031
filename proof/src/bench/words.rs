//! A speech server that says what is said in the sandbox's sample calls, one after the other, whatever it hears: as many words as
//! fit into the time. The sandbox's own knows its samples only, and a real one takes longer than all the rest.

use std::net::SocketAddr;

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, Multipart},
    http::StatusCode,
    routing::post,
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

/// A calm speaker's 2.5 words a second, of audio that is sent at 24 kbit/s.
const BYTES_PER_WORD: usize = 1200;
/// OpenAI's limit of a request.
const LIMIT: usize = 25 << 20;

/// Starts it.
pub async fn serve() -> anyhow::Result<(SocketAddr, JoinHandle<()>)> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    let router = Router::new().route("/v1/audio/transcriptions", post(transcribe)).layer(DefaultBodyLimit::max(LIMIT));
    let serving = tokio::spawn(async move {
        // Never ends but by being aborted.
        let _ = axum::serve(listener, router).await;
    });
    Ok((address, serving))
}

async fn transcribe(mut form: Multipart) -> Result<Json<Value>, StatusCode> {
    let bad = |_| StatusCode::BAD_REQUEST;
    while let Some(part) = form.next_field().await.map_err(bad)? {
        if part.name() == Some("file") {
            let words = part.bytes().await.map_err(bad)?.len() / BYTES_PER_WORD;
            let said = sandbox::samples::all().iter().flat_map(|sample| &sample.turns);
            let said: Vec<&str> = said.flat_map(|turn| turn.text.split_whitespace()).cycle().take(words).collect();
            return Ok(Json(json!({"text": said.join(" ")})));
        }
    }
    Err(StatusCode::BAD_REQUEST)
}
