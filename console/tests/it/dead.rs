//! What failed for good, and trying it again.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

use serde_json::{Value, json};
use shared::{
    domain::{CallStatus, Step},
    testing::Shape,
};

use crate::desk::{Desk, dead, facts};

async fn failures(desk: &Desk) {
    for (number, step, reason) in [
        (1, Step::Fetch, "not-audio"),
        (2, Step::Fetch, "not-audio"),
        (3, Step::Fetch, "vendor-refuses-credentials"),
        (4, Step::Analyze, "vendor-refuses-credentials"),
    ] {
        let call = desk.call(number, facts(CallStatus::Completed, "+393500000001")).await;
        desk.tried(call, step, dead(reason), vec![]).await;
    }
}

async fn replayed(desk: &Desk, order: Value) -> Value {
    let answer = desk.post("/dead/replay", order).await;
    assert_eq!(answer.status(), 200);
    serde_json::from_str(&answer.text().await.unwrap()).unwrap()
}

async fn failures_are_grouped_and_replayed(shape: Shape) {
    let desk = Desk::start(shape).await;
    failures(&desk).await;
    let seen = desk.ask("/dead").await;
    let groups = seen["groups"].as_array().unwrap();
    let first = (&groups[0]["queue"], &groups[0]["reason"], &groups[0]["count"]);
    assert_eq!(first, (&json!("fetch"), &json!("not-audio"), &json!(2)));
    assert_eq!(groups.len(), 3);
    assert_eq!(seen["jobs"].as_array().unwrap().len(), 4);
    assert_eq!(seen["jobs"][0]["provider_call_id"], "1000000001");
    assert_eq!(seen["jobs"][0]["error"], "not what was hoped for");
    assert_eq!(desk.ask("/dead?queue=fetch&reason=not-audio").await["jobs"].as_array().unwrap().len(), 2);

    let one = seen["jobs"][0]["id"].clone();
    assert_eq!(replayed(&desk, json!({"ids": [one]})).await["replayed"], 1);
    assert_eq!(replayed(&desk, json!({"ids": [one]})).await["replayed"], 0, "it is not dead any more");
    let refused = json!({"queue": "fetch", "reason": "vendor-refuses-credentials"});
    assert_eq!(replayed(&desk, refused).await["replayed"], 1);
    let answer = desk.post("/calls/1000000004/replay", json!({})).await;
    assert_eq!(answer.text().await.unwrap(), "{\"replayed\":1}");
    assert_eq!(replayed(&desk, json!({"all": true, "limit": 10})).await["replayed"], 1);
    assert_eq!(desk.ask("/dead").await, json!({"groups": [], "jobs": []}));
    let jobs = desk.ask("/calls/1000000001").await["jobs"].clone();
    let fetch = jobs.as_array().unwrap().iter().find(|job| job["step"] == "fetch").unwrap().clone();
    assert_eq!((&fetch["state"], &fetch["attempts"]), (&json!("waiting"), &json!(0)));
}

#[tokio::test]
async fn failures_are_grouped_and_replayed_embedded() {
    failures_are_grouped_and_replayed(Shape::Embedded).await;
}

#[tokio::test]
async fn failures_are_grouped_and_replayed_in_production() {
    failures_are_grouped_and_replayed(Shape::Production).await;
}

#[tokio::test]
async fn a_replay_must_say_which() {
    let desk = Desk::start(Shape::Embedded).await;
    failures(&desk).await;
    for order in
        [json!({}), json!({"all": false}), json!({"all": true, "queue": "fetch"}), json!({"ids": [], "all": true})]
    {
        assert_eq!(desk.post("/dead/replay", order.clone()).await.status(), 422, "{order}");
    }
    for order in [json!("all"), json!({"al": true}), json!({"ids": ["x"]})] {
        assert_eq!(desk.post("/dead/replay", order.clone()).await.status(), 400, "{order}");
    }
    assert_eq!(desk.ask("/dead").await["jobs"].as_array().unwrap().len(), 4);
}
