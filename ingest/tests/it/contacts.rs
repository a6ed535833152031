//! Webhooks about contacts, of GoHighLevel and of CloudTalk.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

use serde_json::{Value, json};
use shared::testing::Shape;

use crate::edge::{Edge, SECRET, problem};

const GHL: [(&str, &str); 2] = [("GHL_LOCATION_ID", "LOC1"), ("GHL_WEBHOOK_SECRET", SECRET)];

async fn status(response: reqwest::Response) -> String {
    assert_eq!(response.status(), 200);
    let body: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    body["status"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn events_about_contacts_wait_for_the_mirror_and_those_about_nothing_for_intake() {
    let edge = Edge::with(Shape::Production, &GHL).await;
    for route in ["new-contact", "new-tag", "new-note", "pipeline-stage-changed", "opportunity-status-changed"] {
        let body = json!({"contact_id": "C1", "phone": "+393501234567", "note": "hello"}).to_string();
        assert_eq!(status(edge.send(&format!("/api/ghl-webhooks/{route}"), body).await).await, "accepted");
    }
    for route in ["contact-updated", "new-tag", "new-note"] {
        let body =
            json!({"contact_id": 1450000001, "external_number": 393501234567_u64, "tag_name": "VIP"}).to_string();
        assert_eq!(status(edge.send(&format!("/api/cloudtalk-webhooks/{route}"), body).await).await, "accepted");
    }
    let other = json!({"type": "TaskCreate", "webhookId": "w", "locationId": "LOC1"}).to_string();
    assert_eq!(status(edge.send("/api/ghl-webhooks/new-contact", other).await).await, "accepted");
    assert_eq!(edge.count("select count(*) from jobs where step = 'mirror' and queue = 'mirror'").await, 8);
    assert_eq!(edge.count("select count(*) from jobs where step = 'intake'").await, 1);
    assert_eq!(edge.count("select count(*) from events where provider = 'gohighlevel'").await, 6);
}

#[tokio::test]
async fn a_repeated_webhook_of_gohighlevel_is_known_by_its_id() {
    let edge = Edge::with(Shape::Embedded, &GHL).await;
    let send = async |id: &str| {
        let body = json!({"type": "ContactTagUpdate", "webhookId": id, "locationId": "LOC1", "id": "C1"}).to_string();
        status(edge.send("/api/ghl-webhooks/new-tag", body).await).await
    };
    assert_eq!([send("w1").await, send("w1").await, send("w2").await], ["accepted", "duplicate", "accepted"]);
    assert_eq!(edge.count("select count(*) from jobs").await, 2);
}

#[tokio::test]
async fn gohighlevel_is_told_429_while_nothing_can_be_recorded_because_it_repeats_nothing_else() {
    let edge = Edge::with(Shape::Production, &GHL).await;
    edge.database_away(true).await;
    let answer = edge.send("/api/ghl-webhooks/new-tag", json!({"contact_id": "C1"}).to_string()).await;
    assert_eq!(answer.headers()["retry-after"], "5");
    assert_eq!(problem(answer).await.0, 429);
}

#[tokio::test]
async fn strangers_and_events_about_nobody_are_refused() {
    let edge = Edge::with(Shape::Embedded, &GHL).await;
    let url = format!("{}/api/ghl-webhooks/new-contact", edge.base);
    let unsigned = edge.app.outside.http.post(&url).body("{}").send().await.unwrap();
    assert_eq!(problem(unsigned).await.0, 401);
    let forged = edge.webhook("/api/ghl-webhooks/new-contact").header("x-ghl-signature", "AAAA").body("{}");
    assert_eq!(problem(forged.send().await.unwrap()).await.0, 401);
    let (status, body) = problem(edge.send("/api/ghl-webhooks/new-contact", "{}").await).await;
    assert_eq!((status, &body["field"]), (422, &json!("contactId")));
    let (status, body) = problem(edge.send("/api/cloudtalk-webhooks/new-note", "{\"note\": \"hi\"}").await).await;
    assert_eq!((status, &body["field"]), (422, &json!("contact_id")));
    assert_eq!(edge.count("select count(*) from events").await, 0);
}
