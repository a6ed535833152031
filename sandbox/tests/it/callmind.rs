//! Callmind: creation, updates, duplicates, refusals.

use reqwest::Method;
use sandbox::{CallmindDuplicates, Vendor::Callmind};
use serde_json::json;

use crate::{World, json};

#[tokio::test]
async fn a_record_is_created_and_its_updates_are_merged_and_remembered() {
    let world = World::new().await;
    let start = json!({"agentId": "a1", "callSid": "s1", "direction": "inbound", "status": "in-progress"});
    let created = world.post(Callmind, "/call-history", start).await;
    assert_eq!(created.status(), 201);
    let id = json(created).await["id"].as_str().unwrap().to_owned();
    for fields in [json!({"status": "completed", "duration": 12}), json!({"status": "completed", "summary": "Fine."})] {
        let path = format!("/call-history/{id}/status");
        let answer = world.ask(Callmind, Method::PATCH, &path).json(&fields).send().await.unwrap();
        assert_eq!(answer.status(), 200);
    }
    let record = &world.sandbox.state().callmind.records[0];
    assert_eq!((&record.fields["duration"], &record.fields["summary"]), (&json!(12), &json!("Fine.")));
    let via: Vec<_> = record.history.iter().map(|update| update.via.as_str()).collect();
    assert_eq!(via, ["create", "update", "update"]);
}

#[tokio::test]
async fn a_repeated_call_sid_keeps_its_id_or_conflicts() {
    let world = World::new().await;
    let start = json!({"agentId": "a1", "callSid": "s1", "direction": "inbound", "status": "in-progress"});
    let first = json(world.post(Callmind, "/call-history", start.clone()).await).await;
    let again = world.post(Callmind, "/call-history", start.clone()).await;
    assert_eq!(again.status(), 200);
    assert_eq!(json(again).await["id"], first["id"]);
    world.sandbox.switch(|switches| switches.callmind_duplicates = CallmindDuplicates::Conflict);
    let conflict = world.post(Callmind, "/call-history", start).await;
    assert_eq!(conflict.status(), 409);
    assert_eq!(world.sandbox.state().callmind.records.len(), 1);
}

#[tokio::test]
async fn what_is_missing_unknown_or_unsigned_is_refused() {
    let world = World::new().await;
    for missing in ["agentId", "callSid", "direction", "status"] {
        let mut start = json!({"agentId": "a1", "callSid": "s1", "direction": "inbound", "status": "in-progress"});
        start.as_object_mut().unwrap().remove(missing);
        assert_eq!(world.post(Callmind, "/call-history", start).await.status(), 400, "{missing}");
    }
    let patch = |body| world.ask(Callmind, Method::PATCH, "/call-history/nobody/status").json(&body).send();
    assert_eq!(patch(json!({"status": "completed"})).await.unwrap().status(), 404);
    assert_eq!(patch(json!({"duration": 3})).await.unwrap().status(), 400);
    let unsigned = format!("{}/call-history", world.sandbox.base_urls().callmind);
    assert_eq!(world.client.post(unsigned).body("{}").send().await.unwrap().status(), 401);
}

#[tokio::test]
async fn webhooks_are_keyed_by_call_sid() {
    let world = World::new().await;
    let started = json!({"callSid": "s1", "agentId": "a1", "direction": "inbound", "callerNumber": "+393500000101"});
    assert_eq!(world.post(Callmind, "/webhooks/calls/started", started).await.status(), 200);
    let completed = json!({"callSid": "s1", "duration": 5, "summary": "Short."});
    assert_eq!(world.post(Callmind, "/webhooks/calls/completed", completed).await.status(), 200);
    let records = world.sandbox.state().callmind.records;
    assert_eq!(records.len(), 1);
    assert_eq!((&records[0].fields["status"], &records[0].fields["agentId"]), (&json!("completed"), &json!("a1")));
}
