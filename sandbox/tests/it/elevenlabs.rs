//! ElevenLabs: conversations, audio, calls out, and webhooks as a service receives them.

use std::sync::{Arc, Mutex};

use axum::{Router, body::Bytes, http::HeaderMap, routing::post};
use base64::prelude::{BASE64_STANDARD, Engine};
use hmac::{Hmac, KeyInit, Mac};
use sandbox::{CallMode, PlaceCall, Vendor::Elevenlabs, samples};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::{World, json};

const LIST: &str = "/v1/convai/conversations";

type Received = Arc<Mutex<Vec<(HeaderMap, Bytes)>>>;

/// A service that takes every webhook down.
async fn service() -> (String, Received) {
    let received = Received::default();
    let taken = received.clone();
    let take = async move |headers: HeaderMap, body: Bytes| taken.lock().unwrap().push((headers, body));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let routes = Router::new().route("/webhooks/elevenlabs-post-call", post(take));
    tokio::spawn(async move { axum::serve(listener, routes).await });
    (base, received)
}

fn order(base: &str, mode: CallMode) -> PlaceCall {
    PlaceCall::new(base, "wsec", "billing").provider("elevenlabs").mode(mode)
}

#[tokio::test]
async fn webhooks_are_signed_and_audio_comes_in_chunks_of_unknown_length() {
    let world = World::new().await;
    let (base, received) = service().await;
    let placed = world.sandbox.place_call(order(&base, CallMode::EndedThenRecording)).await.unwrap();
    assert!(placed.answers.iter().all(|answer| answer.status == 200), "{placed:?}");
    let received = received.lock().unwrap().clone();
    for (headers, body) in &received {
        let signature = headers["elevenlabs-signature"].to_str().unwrap();
        let (time, given) = signature.strip_prefix("t=").and_then(|rest| rest.split_once(",v0=")).unwrap();
        let mac = Hmac::<Sha256>::new_from_slice(b"wsec").unwrap().chain_update(format!("{time}.")).chain_update(body);
        let expected: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(given, expected);
        assert!(!headers.contains_key("content-length"));
    }
    let bodies: Vec<Value> = received.iter().map(|(_, body)| serde_json::from_slice(body).unwrap()).collect();
    assert_eq!(
        (&bodies[0]["type"], &bodies[1]["type"]),
        (&json!("post_call_transcription"), &json!("post_call_audio"))
    );
    assert_eq!(bodies[0]["data"]["conversation_id"], placed.call_uuid);
    assert_eq!(bodies[1]["data"].as_object().unwrap().len(), 3, "two ids and the audio, nothing else");
    let audio = BASE64_STANDARD.decode(bodies[1]["data"]["full_audio"].as_str().unwrap()).unwrap();
    assert_eq!(audio, samples::named("billing").unwrap().mono_wav());
}

#[tokio::test]
async fn audio_is_there_after_a_while_and_for_whoever_has_a_key() {
    let world = World::new().await;
    let mut late = order("http://127.0.0.1:9", CallMode::ApiFallback);
    late.not_ready_times = 1;
    let id = world.sandbox.place_call(late).await.unwrap().call_uuid;
    let path = format!("{LIST}/{id}/audio");
    assert_eq!(world.get(Elevenlabs, &path).await.status(), 404);
    let audio = world.get(Elevenlabs, &path).await.bytes().await.unwrap();
    assert_eq!(audio, samples::named("billing").unwrap().mono_wav());
    let url = format!("{}{path}", world.sandbox.base_urls().elevenlabs);
    assert_eq!(world.client.get(url).send().await.unwrap().status(), 401);
}

#[tokio::test]
async fn a_call_out_is_listed_and_ends_when_it_is_told_to() {
    let world = World::new().await;
    let ask =
        |body: Value| world.ask(Elevenlabs, axum::http::Method::POST, "/v1/convai/twilio/outbound-call").json(&body);
    assert_eq!(ask(json!({"agent_id": "a"})).send().await.unwrap().status(), 422);
    let variables = json!({"dynamic_variables": {"chat_id": "chat-1"}});
    let order = json!({"agent_id": "a", "agent_phone_number_id": "p", "to_number": "+393331230088",
        "conversation_initiation_client_data": variables});
    let started = json(ask(order).send().await.unwrap()).await;
    let id = started["conversation_id"].as_str().unwrap();
    assert!(started["callSid"].as_str().unwrap().starts_with("CA"));
    let status = async || {
        json(world.get(Elevenlabs, &format!("{LIST}?page_size=1")).await).await["conversations"][0]["status"].clone()
    };
    assert_eq!(status().await, "in-progress");
    let (base, received) = service().await;
    world.sandbox.end_conversation(id, &base, "wsec").await.unwrap();
    assert_eq!(status().await, "done");
    let body: Value = serde_json::from_slice(&received.lock().unwrap()[0].1).unwrap();
    assert_eq!(body["data"]["conversation_initiation_client_data"]["dynamic_variables"]["chat_id"], "chat-1");
    assert_eq!(body["data"]["metadata"]["phone_call"]["external_number"], "+393331230088");
}
