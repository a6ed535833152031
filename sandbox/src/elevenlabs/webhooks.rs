//! What is posted after a call: signed over the time and the raw body, audio in chunks without a length.

use std::convert::Infallible;

use base64::prelude::{BASE64_STANDARD, Engine};
use bytes::Bytes;
use futures::stream;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::conversation::Conversation;
use crate::{calls::WebhookAnswer, recordings::RecordingFile, world::World};

/// Bytes of a chunk.
const CHUNK: usize = 16 * 1024;

pub(super) fn transcription(held: &Conversation) -> (&'static str, Value) {
    ("post_call_transcription", held.whole())
}

pub(super) fn audio(held: &Conversation) -> (&'static str, Value) {
    let RecordingFile::Bytes(bytes) = held.audio() else { return ("post_call_audio", Value::Null) };
    let encoded = BASE64_STANDARD.encode(bytes);
    ("post_call_audio", json!({"agent_id": held.agent_id, "conversation_id": held.id, "full_audio": encoded}))
}

pub(super) fn failure(held: &Conversation) -> (&'static str, Value) {
    let body = json!({
        "CallSid": held.call_sid, "CallStatus": "no-answer", "Direction": "outbound-api",
        "From": held.sample.internal_number, "To": held.phone, "CallDuration": "0",
        "Timestamp": held.started_at.to_rfc2822(),
    });
    let metadata = json!({"type": "twilio", "body": body});
    let data = json!({
        "agent_id": held.agent_id, "conversation_id": held.id, "failure_reason": "no-answer", "metadata": metadata,
    });
    ("call_initiation_failure", data)
}

/// An empty secret signs nothing.
pub(super) async fn post(world: &World, base: &str, secret: &str, webhook: &(&'static str, Value)) -> WebhookAnswer {
    let (event, data) = webhook;
    let now = chrono::Utc::now().timestamp();
    let body = json!({"type": event, "event_timestamp": now, "data": data}).to_string();
    let url = format!("{}/webhooks/elevenlabs-post-call", base.trim_end_matches('/'));
    let mut request = world.http().post(url).header("content-type", "application/json");
    if !secret.is_empty() {
        request = request.header("elevenlabs-signature", format!("t={now},v0={}", sign(secret, now, &body)));
    }
    let body = Bytes::from(body);
    let pieces = (0..body.len()).step_by(CHUNK).map(move |at| body.slice(at..body.len().min(at + CHUNK)));
    let chunked = reqwest::Body::wrap_stream(stream::iter(pieces.map(Ok::<_, Infallible>)));
    let (status, body) = match request.body(chunked).send().await {
        Ok(answer) => (answer.status().as_u16(), answer.text().await.unwrap_or_default()),
        Err(error) => (0, format!("no answer: {}", error.without_url())),
    };
    WebhookAnswer { event: (*event).to_owned(), status, body }
}

fn sign(secret: &str, now: i64, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(format!("{now}.").as_bytes());
    mac.update(body.as_bytes());
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}
