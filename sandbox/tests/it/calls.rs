//! Placing calls: the webhooks as a service receives them, and what the ledger keeps of the rest.

use std::sync::{Arc, Mutex};

use axum::{Json, Router, extract::Path, http::HeaderMap, routing::post};
use sandbox::{CallMode, PlaceCall, Sandbox, Vendor::Cloudtalk};
use serde_json::{Value, json};

use crate::{World, json};

type Received = Arc<Mutex<Vec<(String, HeaderMap, Value)>>>;

/// A service that takes every webhook down.
async fn service() -> (String, Received) {
    let received = Received::default();
    let taken = received.clone();
    let take = async move |Path(event): Path<String>, headers: HeaderMap, Json(body): Json<Value>| {
        taken.lock().unwrap().push((event, headers, body));
        "taken"
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let routes = Router::new().route("/api/cloudtalk-webhooks/{event}", post(take));
    tokio::spawn(async move { axum::serve(listener, routes).await });
    (base, received)
}

fn events(received: &Received) -> Vec<(String, Value)> {
    received.lock().unwrap().iter().map(|(event, _, body)| (event.clone(), body.clone())).collect()
}

#[tokio::test]
async fn webhooks_carry_integers_the_secret_and_a_link_that_works() {
    let world = World::new().await;
    let (base, received) = service().await;
    let placed = world.sandbox.place_call(PlaceCall::new(base, "s3cret", "billing")).await.unwrap();
    assert!(placed.answers.iter().all(|answer| answer.status == 200 && answer.body == "taken"));
    let (event, headers, body) = received.lock().unwrap()[1].clone();
    assert_eq!((event.as_str(), &headers["authorization"]), ("call-ended", &"Bearer s3cret".parse().unwrap()));
    assert_eq!(body["call_id"], placed.call_id);
    assert_eq!(body["external_number"], 393_500_000_101_u64);
    let url = body["recording_url"].as_str().unwrap();
    let audio = world.client.get(url).send().await.unwrap().bytes().await.unwrap();
    assert_eq!(audio, sandbox::samples::named("billing").unwrap().wav);
}

#[tokio::test]
async fn ids_count_up_from_where_they_are_told_to() {
    let (base, _) = service().await;
    let first = std::num::NonZeroU64::new(70_000).unwrap();
    let later = Sandbox::start_as("127.0.0.1:0".parse().unwrap(), None, first).await.unwrap();
    let earlier = World::new().await.sandbox;
    for provider in ["cloudtalk", "twilio", "elevenlabs", "generic"] {
        let place = async |sandbox: &Sandbox| {
            let placed = sandbox.place_call(PlaceCall::new(&base, "", "billing").provider(provider)).await.unwrap();
            (placed.call_id, placed.call_uuid)
        };
        let (before, now) = (place(&earlier).await, place(&later).await);
        assert_eq!(now.0 - before.0, 69_999, "{provider}");
        assert_ne!(now.1, before.1, "{provider}");
    }
}

#[tokio::test]
async fn each_mode_tells_of_the_recording_in_its_own_way() {
    let world = World::new().await;
    let modes = [
        (CallMode::EndedWithUrl, "call-started call-ended+url", 200),
        (CallMode::EndedThenRecording, "call-started call-ended recording-available+url", 200),
        (CallMode::ApiFallback, "call-started call-ended", 200),
        (CallMode::Missed, "call-started call-ended", 404),
        (CallMode::NotRecorded, "call-started call-ended", 404),
    ];
    for (mode, expected, status) in modes {
        let (base, received) = service().await;
        let placed = world.sandbox.place_call(PlaceCall::new(base, "", "sales").mode(mode)).await.unwrap();
        let told = |(event, body): (String, Value)| {
            if body["recording_url"].is_string() { format!("{event}+url") } else { event }
        };
        assert_eq!(events(&received).into_iter().map(told).collect::<Vec<_>>().join(" "), expected, "{mode:?}");
        let recording = world.get(Cloudtalk, &format!("/calls/recording/{}.json", placed.call_id)).await;
        assert_eq!(recording.status(), status, "{mode:?}");
    }
}

#[tokio::test]
async fn a_placed_call_is_in_the_call_list_with_loose_types() {
    let world = World::new().await;
    let (base, _) = service().await;
    let order = PlaceCall::new(base, "", "sales").call_id(77);
    world.sandbox.place_call(order).await.unwrap();
    let list = json(world.get(Cloudtalk, "/calls/index.json?call_id=77&limit=1").await).await;
    let row = &list["responseData"]["data"][0];
    assert_eq!(list["responseData"]["itemsCount"], 1);
    assert_eq!((&row["Cdr"]["id"], &row["Cdr"]["type"]), (&json!("77"), &json!("outgoing")));
    assert_eq!(row["Cdr"]["public_external"], 393_500_000_102_u64);
    let missed = json(world.get(Cloudtalk, "/calls/index.json?status=missed").await).await;
    assert_eq!(missed["responseData"]["itemsCount"], 0);
}

#[tokio::test]
async fn a_call_is_placed_over_http_and_an_absent_service_is_reported() {
    let world = World::new().await;
    let control = format!("{}/control/calls", world.sandbox.url());
    let order = json!({
        "webhook_base": "http://127.0.0.1:9", "secret": "x", "sample": "support", "provider": "cloudtalk",
        "call_id": 123, "mode": "api_fallback", "not_ready_times": 1,
    });
    let placed = world.client.post(&control).json(&order).send().await.unwrap();
    assert_eq!(placed.status(), 201);
    let placed = json(placed).await;
    assert_eq!((&placed["call_id"], &placed["answers"][0]["status"]), (&json!(123), &json!(0)));
    assert_eq!(world.get(Cloudtalk, "/calls/recording/123.json").await.status(), 404);
    assert_eq!(world.get(Cloudtalk, "/calls/recording/123.json").await.status(), 200);
    let unknown = world.client.post(&control).json(&json!({"webhook_base": "http://x", "sample": "none"}));
    assert_eq!(unknown.send().await.unwrap().status(), 422);
}

#[tokio::test]
async fn the_ledger_keeps_what_was_asked_without_secrets_until_it_is_told_not_to() {
    let world = World::new().await;
    world.get(Cloudtalk, "/calls/index.json?limit=1&api_key=abc").await;
    world.get(sandbox::Vendor::Openai, "/models").await;
    let control = format!("{}/control", world.sandbox.url());
    let filtered = world.client.get(format!("{control}/ledger?vendor=cloudtalk&path_contains=calls")).send().await;
    let filtered = json(filtered.unwrap()).await;
    assert_eq!(filtered.as_array().unwrap().len(), 1);
    assert_eq!(filtered[0]["path"], "/cloudtalk/api/calls/index.json?limit=1&api_key=…");
    assert_eq!((&filtered[0]["seq"], &filtered[0]["status"]), (&json!(1), &json!(200)));
    assert_eq!(world.client.delete(format!("{control}/ledger")).send().await.unwrap().status(), 204);
    world.client.post(format!("{control}/limits")).json(&json!({"record": "off"})).send().await.unwrap();
    world.get(sandbox::Vendor::Openai, "/models").await;
    assert!(world.sandbox.ledger().is_empty());
    let state = json(world.client.get(format!("{control}/state")).send().await.unwrap()).await;
    assert!(state["ghl"]["contacts"].is_array() && state["callmind"]["records"].is_array());
}
