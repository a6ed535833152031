//! Every kind of fault, as a client sees it.

use std::time::{Duration, Instant};

use reqwest::Method;
use sandbox::{Fault, FaultKind, Vendor};
use serde_json::json;

use crate::{World, json};

const CALL: &str = "/call-history";

fn record(sid: &str) -> serde_json::Value {
    json!({"agentId": "a", "callSid": sid, "direction": "inbound", "status": "in-progress"})
}

#[tokio::test]
async fn a_status_hits_as_often_as_told_and_speaks_the_vendors_language() {
    let world = World::new().await;
    world.sandbox.fault(Fault::status(Vendor::Callmind, 429).retry_after(2).method("post").times(2));
    for _ in 0..2 {
        let answer = world.post(Vendor::Callmind, CALL, record("one")).await;
        assert_eq!((answer.status().as_u16(), &answer.headers()["retry-after"]), (429, &"2".parse().unwrap()));
        assert_eq!(json(answer).await, json!({"error": "Too Many Requests"}));
    }
    assert_eq!(world.post(Vendor::Callmind, CALL, record("one")).await.status(), 201);
    assert_eq!(world.sandbox.state().callmind.records.len(), 1);
}

#[tokio::test]
async fn each_vendor_refuses_too_many_requests_in_its_own_shape() {
    let world = World::new().await;
    for vendor in Vendor::ALL {
        world.sandbox.fault(Fault::status(vendor, 429));
    }
    let cloudtalk = world.get(Vendor::Cloudtalk, "/calls/index.json").await;
    assert_eq!(cloudtalk.headers()["x-cloudtalkapi-remaining"], "0");
    assert_eq!(json(cloudtalk).await["responseData"]["status"], 429);
    let ghl = world.get(Vendor::Ghl, "/contacts/x").await;
    assert_eq!(ghl.headers()["x-ratelimit-remaining"], "0");
    assert_eq!(json(ghl).await["statusCode"], 429);
    let openai = json(world.get(Vendor::Openai, "/models").await).await;
    assert_eq!(openai["error"]["code"], "rate_limit_exceeded");
}

#[tokio::test]
async fn a_status_may_bring_its_own_body() {
    let world = World::new().await;
    let body = json!({"error": {"message": "No credit", "type": "insufficient_quota", "code": "insufficient_quota"}});
    world.sandbox.fault(Fault::status(Vendor::Openai, 429).body(body.clone()).path("/chat"));
    assert_eq!(json(world.post(Vendor::Openai, "/chat/completions", json!({})).await).await, body);
    assert_eq!(world.get(Vendor::Openai, "/models").await.status(), 200);
}

#[tokio::test]
async fn a_hanging_vendor_answers_late() {
    let world = World::new().await;
    world.sandbox.fault(Fault::new(Vendor::Openai, FaultKind::Hang { ms: 60_000 }).times(1));
    world.sandbox.fault(Fault::new(Vendor::Openai, FaultKind::Hang { ms: 150 }).times(1));
    let impatient = world.ask(Vendor::Openai, Method::GET, "/models").timeout(Duration::from_millis(100)).send().await;
    assert!(impatient.unwrap_err().is_timeout());
    let asked = Instant::now();
    assert_eq!(world.get(Vendor::Openai, "/models").await.status(), 200);
    assert!(asked.elapsed() >= Duration::from_millis(150));
}

#[tokio::test]
async fn a_cut_off_body_ends_in_the_middle_of_what_was_announced() {
    let world = World::new().await;
    let url = world.sandbox.add_recording(7, sandbox::RecordingFile::Generated { bytes: 100_000 });
    world.sandbox.fault(Fault::new(Vendor::Cloudtalk, FaultKind::CutOff).times(1));
    let mut answer = world.client.get(&url).send().await.unwrap();
    assert_eq!(answer.content_length(), Some(100_000));
    let mut read = 0;
    let broken = loop {
        match answer.chunk().await {
            Ok(Some(chunk)) => read += chunk.len(),
            Ok(None) => break false,
            Err(_) => break true,
        }
    };
    assert_eq!((read, broken), (50_000, true));
    assert_eq!(world.client.get(&url).send().await.unwrap().bytes().await.unwrap().len(), 100_000);
}

#[tokio::test]
async fn a_wrong_content_type_covers_the_right_body() {
    let world = World::new().await;
    let kind = FaultKind::ContentType { value: "text/html".into() };
    world.sandbox.fault(Fault::new(Vendor::Openai, kind));
    let answer = world.get(Vendor::Openai, "/models").await;
    assert_eq!(answer.headers()["content-type"], "text/html");
    assert_eq!(json(answer).await["object"], "list");
}

#[tokio::test]
async fn success_without_substance_writes_nothing() {
    let world = World::new().await;
    world.sandbox.fault(Fault::new(Vendor::Callmind, FaultKind::Html200).times(1));
    world.sandbox.fault(Fault::new(Vendor::Callmind, FaultKind::Empty200).times(1));
    let html = world.post(Vendor::Callmind, CALL, record("one")).await;
    assert_eq!(html.status(), 200);
    assert!(html.text().await.unwrap().contains("<html>"));
    let empty = world.post(Vendor::Callmind, CALL, record("one")).await;
    assert_eq!(empty.status(), 200);
    assert!(empty.text().await.unwrap().is_empty());
    assert!(world.sandbox.state().callmind.records.is_empty());
}

#[tokio::test]
async fn a_lost_reply_has_written_and_a_refused_connection_has_not() {
    let world = World::new().await;
    world.sandbox.fault(Fault::new(Vendor::Callmind, FaultKind::ReplyLost).times(1));
    world.sandbox.fault(Fault::new(Vendor::Callmind, FaultKind::Refuse).times(1));
    for sid in ["lost", "refused"] {
        let ask = world.ask(Vendor::Callmind, Method::POST, CALL).json(&record(sid)).send().await;
        assert!(ask.is_err(), "{sid}");
    }
    let records = world.sandbox.state().callmind.records;
    assert_eq!(records.iter().map(|record| &record.fields["callSid"]).collect::<Vec<_>>(), ["lost"]);
    let ledger = world.sandbox.ledger();
    let seen: Vec<_> = ledger.iter().map(|line| (line.status, line.fault.as_deref())).collect();
    assert_eq!(seen, [(0, Some("reply_lost")), (0, Some("refuse"))]);
}

#[tokio::test]
async fn a_late_reply_has_written_long_before() {
    let world = World::new().await;
    world.sandbox.fault(Fault::new(Vendor::Callmind, FaultKind::ReplyLate { ms: 60_000 }).times(1));
    let ask = world.ask(Vendor::Callmind, Method::POST, CALL).json(&record("one"));
    assert!(ask.timeout(Duration::from_secs(2)).send().await.is_err());
    assert_eq!(world.sandbox.state().callmind.records.len(), 1);
}

#[tokio::test]
async fn faults_can_be_ordered_and_cleared_over_http() {
    let world = World::new().await;
    let control = format!("{}/control/faults", world.sandbox.url());
    let orders = [
        json!({"vendor": "openai", "fault": {"kind": "html_200"}}),
        json!({"vendor": "openai", "times": null, "fault": {"kind": "status", "status": 503, "retry_after": 1}}),
        json!({"vendor": "ghl", "method": "POST", "path_contains": "notes", "times": 3, "fault": {"kind": "hang", "ms": 1}}),
    ];
    for order in &orders {
        assert_eq!(world.client.post(&control).json(order).send().await.unwrap().status(), 201);
    }
    let listed = json(world.client.get(&control).send().await.unwrap()).await;
    assert_eq!(listed.as_array().unwrap().len(), 3);
    let html = world.get(Vendor::Openai, "/models").await;
    assert!(html.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
    assert_eq!(world.client.delete(&control).send().await.unwrap().status(), 204);
    assert_eq!(json(world.get(Vendor::Openai, "/models").await).await["object"], "list");
}
