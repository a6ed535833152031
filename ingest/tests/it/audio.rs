//! Webhooks that bring a whole recording.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

use base64::{Engine, prelude::BASE64_STANDARD};
use futures::{StreamExt, TryStreamExt, stream};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::Response;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use shared::{
    db,
    testing::{Shape, eventually},
};
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::edge::{Edge, problem};

const PATH: &str = "/webhooks/elevenlabs-post-call";
const SECRET: &str = "wsec_test";
const MP3: &[u8] = include_bytes!("../../../shared/src/audio/fixtures/voice.mp3");

async fn start(shape: Shape, more: &[(&str, &str)]) -> Edge {
    let settings: Vec<_> = [("ELEVENLABS_WEBHOOK_SECRET", SECRET)].iter().chain(more).copied().collect();
    Edge::with(shape, &settings).await
}

fn audio(bytes: &[u8]) -> String {
    let data = json!({"agent_id": "agent_1", "conversation_id": "conv_1", "full_audio": BASE64_STANDARD.encode(bytes)});
    json!({"type": "post_call_audio", "event_timestamp": 1_760_000_000, "data": data}).to_string()
}

fn signed(edge: &Edge, body: &str) -> String {
    let time = edge.app.clock.now().timestamp();
    let mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap().chain_update(format!("{time}.{body}"));
    format!("t={time},v0={}", hex::encode(mac.finalize().into_bytes()))
}

/// As they send it: in chunks, without a length.
async fn send(edge: &Edge, path: &str, signature: &str, body: &str) -> Response {
    let pieces: Vec<_> = body.as_bytes().chunks(8_191).map(|piece| Ok::<_, std::io::Error>(piece.to_vec())).collect();
    let request = edge.app.outside.http.post(format!("{}{path}", edge.base)).header("elevenlabs-signature", signature);
    request.body(reqwest::Body::wrap_stream(stream::iter(pieces))).send().await.unwrap()
}

async fn accepted(edge: &Edge, body: &str) -> Value {
    let answer = send(edge, PATH, &signed(edge, body), body).await;
    assert_eq!(answer.status(), 200, "exactly 200 counts as success there");
    let answer: Value = answer.json().await.unwrap();
    let id = answer["event_id"].as_str().unwrap().parse().unwrap();
    let event = db::events::find(&edge.app.db, id).await.unwrap().unwrap();
    serde_json::from_slice(&event.body).unwrap()
}

/// Nothing is left on this machine's disk.
async fn nothing_is_left(edge: &Edge) {
    eventually("the spool is empty", async || {
        let files = std::fs::read_dir(edge.scratch.path()).unwrap();
        !files.flatten().any(|file| file.file_name().to_string_lossy().starts_with("tapedeck-"))
    })
    .await;
}

async fn stored(edge: &Edge, body: &Value) -> Vec<u8> {
    let key = body["data"]["full_audio"]["object_key"].as_str().unwrap();
    edge.app.recordings.get(key, None).await.unwrap().try_collect::<Vec<_>>().await.unwrap().concat()
}

async fn is_kept(shape: Shape) {
    let edge = start(shape, &[]).await;
    let body = audio(MP3);
    let event = accepted(&edge, &body).await;
    assert_eq!(stored(&edge, &event).await, MP3);
    let kept = &event["data"]["full_audio"];
    assert_eq!(kept["sha256"], hex::encode(Sha256::digest(MP3)));
    assert_eq!((kept["size_bytes"].as_u64(), kept["format"].as_str()), (Some(MP3.len() as u64), Some("mp3")));
    assert!((kept["duration_seconds"].as_f64().unwrap() - 2.5).abs() < 0.2, "{kept}");
    assert!(event.to_string().len() < 1000, "without the base64");
    let again: Value = send(&edge, "/voice/post_call", &signed(&edge, &body), &body).await.json().await.unwrap();
    assert_eq!(again["status"], "duplicate");
    nothing_is_left(&edge).await;
}

#[tokio::test]
async fn the_recording_of_a_webhook_is_in_the_store_when_it_is_answered_embedded() {
    is_kept(Shape::Embedded).await;
}

#[tokio::test]
async fn the_recording_of_a_webhook_is_in_the_store_when_it_is_answered_in_production() {
    is_kept(Shape::Production).await;
}

#[tokio::test]
async fn the_order_of_keys_does_not_matter() {
    let edge = start(Shape::Embedded, &[]).await;
    let encoded = BASE64_STANDARD.encode(MP3).replace('/', "\\/");
    let body = format!(
        "{{ \"data\": {{\"full_audio\" : \"{encoded}\",\n\"conversation_id\":\"conv_1\"}}, \"type\":\"post_call_audio\"}}"
    );
    let event = accepted(&edge, &body).await;
    assert_eq!(stored(&edge, &event).await, MP3);
}

#[tokio::test]
async fn a_body_with_a_wrong_signature_leaves_nothing_behind() {
    let edge = start(Shape::Embedded, &[]).await;
    let body = audio(MP3);
    let right = signed(&edge, &body);
    let changed = body.replace("agent_1", "agent_2");
    for (signature, body) in [(right.as_str(), changed.as_str()), ("t=1760000000,v0=00", &body), ("", &body)] {
        assert_eq!(problem(send(&edge, PATH, signature, body).await).await.0, 401);
    }
    assert_eq!(edge.count("select count(*) from events").await, 0);
    assert!(!edge.scratch.path().join("recordings").exists());
    nothing_is_left(&edge).await;
}

#[tokio::test]
async fn a_body_that_breaks_off_leaves_nothing_behind() {
    let edge = start(Shape::Embedded, &[]).await;
    let body = audio(MP3);
    let mut socket = TcpStream::connect(edge.base.trim_start_matches("http://")).await.unwrap();
    let head = format!("POST {PATH} HTTP/1.1\r\nhost: x\r\nelevenlabs-signature: {}\r\n", signed(&edge, &body));
    let half = &body[..body.len() / 2];
    let sent = format!("{head}transfer-encoding: chunked\r\n\r\n{:x}\r\n{half}\r\n", half.len());
    socket.write_all(sent.as_bytes()).await.unwrap();
    eventually("half of it is on disk", async || {
        let files = std::fs::read_dir(edge.scratch.path()).unwrap();
        files.flatten().any(|file| file.file_name().to_string_lossy().starts_with("tapedeck-"))
    })
    .await;
    drop(socket);
    nothing_is_left(&edge).await;
    assert_eq!(edge.count("select count(*) from events").await, 0);
    assert!(!edge.scratch.path().join("recordings").exists());
}

#[tokio::test]
async fn what_is_no_audio_is_not_kept_but_its_event_is() {
    let edge = start(Shape::Embedded, &[]).await;
    for (id, audio) in
        [("conv_1", BASE64_STANDARD.encode("<html>")), ("conv_2", "no base64!".into()), ("conv_3", String::new())]
    {
        let body = json!({"type": "post_call_audio", "data": {"conversation_id": id, "full_audio": audio}}).to_string();
        assert_eq!(accepted(&edge, &body).await["data"]["full_audio"], "", "{id}");
    }
    nothing_is_left(&edge).await;
}

#[tokio::test]
async fn a_transcript_is_kept_as_it_came() {
    let edge = start(Shape::Embedded, &[]).await;
    let body =
        "{ \"data\" : {\"conversation_id\":\"conv_1\", \"x\": \"\\u00e9\"},  \"type\":\"post_call_transcription\"}";
    let answer = send(&edge, PATH, &signed(&edge, body), body).await;
    let id = answer.json::<Value>().await.unwrap()["event_id"].as_str().unwrap().parse().unwrap();
    assert_eq!(db::events::find(&edge.app.db, id).await.unwrap().unwrap().body, body.as_bytes());
}

#[tokio::test]
async fn only_the_recording_may_be_large() {
    let edge = start(Shape::Embedded, &[("MAX_AUDIO_BODY_BYTES", "40000000")]).await;
    let mut wav = vec![0_u8; 24 << 20];
    let data = u32::try_from(wav.len() - 44).unwrap();
    let head = [
        b"RIFF",
        &(data + 36).to_le_bytes()[..],
        b"WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data",
        &data.to_le_bytes(),
    ];
    wav[..44].copy_from_slice(&head.concat());
    let event = accepted(&edge, &audio(&wav)).await;
    assert_eq!(event["data"]["full_audio"]["size_bytes"], wav.len());

    let body = audio(&vec![0; 32 << 20]);
    assert_eq!(problem(send(&edge, PATH, &signed(&edge, &body), &body).await).await.0, 413, "over the setting");
    let body = json!({"type": "post_call_transcription", "x": "x".repeat(17 << 20)}).to_string();
    assert_eq!(problem(send(&edge, PATH, &signed(&edge, &body), &body).await).await.0, 413, "too much beside it");
    nothing_is_left(&edge).await;
}

#[tokio::test]
async fn many_at_once_are_all_kept_apart() {
    let edge = start(Shape::Embedded, &[]).await;
    let bodies = (0..20).map(|n| audio(MP3).replace("conv_1", &format!("conv_{n}")));
    let kept = stream::iter(bodies.map(|body| {
        let edge = &edge;
        async move { accepted(edge, &body).await["data"]["full_audio"]["object_key"].as_str().unwrap().to_owned() }
    }));
    let mut keys: Vec<_> = kept.buffer_unordered(20).collect().await;
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 20, "no object belongs to two calls");
}
