//! Webhooks that are accepted: once, for good, and answered after the commit.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

use futures::future::join_all;
use serde_json::{Value, json};
use shared::{
    db::{self, Db},
    domain::{EventId, QueueName},
    testing::{Shape, eventually},
};

use crate::edge::{ENDED, Edge, problem};

async fn json_of(response: reqwest::Response) -> Value {
    assert_eq!(response.status(), 200);
    serde_json::from_str(&response.text().await.unwrap()).unwrap()
}

async fn an_event_is_kept_as_it_came(shape: Shape) {
    let edge = Edge::start(shape).await;
    let body = "{ \"call_id\": 1000000001,\n  \"talking_time\":61, \"note\":\"\u{e4}\\u0000\" }";
    let answer = json_of(edge.send(ENDED, body).await).await;
    assert_eq!(answer["status"], "accepted", "{answer}");
    let id: EventId = answer["event_id"].as_str().unwrap().parse().unwrap();
    let event = db::events::find(&edge.app.db, id).await.unwrap().unwrap();
    assert_eq!(event.body, body.as_bytes());
    assert_eq!(event.kind.as_str(), "call-ended");
    assert_eq!(edge.count("select count(*) from jobs where step = 'intake' and state = 'waiting'").await, 1);
    assert_eq!(edge.count("select count(*) from jobs where length(traceparent) = 55").await, 1);
}

#[tokio::test]
async fn an_event_is_kept_as_it_came_embedded() {
    an_event_is_kept_as_it_came(Shape::Embedded).await;
}

#[tokio::test]
async fn an_event_is_kept_as_it_came_in_production() {
    an_event_is_kept_as_it_came(Shape::Production).await;
}

async fn fifty_identical_webhooks_leave_one_event(shape: Shape) {
    let edge = Edge::start(shape).await;
    let body = json!({"call_id": 1000000001, "talking_time": 61}).to_string();
    let answers = join_all((0..50).map(|_| async { json_of(edge.send(ENDED, body.clone()).await).await })).await;
    let accepted = answers.iter().filter(|answer| answer["status"] == "accepted").count();
    let duplicates = answers.iter().filter(|answer| answer["status"] == "duplicate").count();
    assert_eq!((accepted, duplicates), (1, 49));
    assert_eq!(edge.count("select count(*) from events").await, 1);
    assert_eq!(edge.count("select count(*) from jobs").await, 1);
}

#[tokio::test]
async fn fifty_identical_webhooks_leave_one_event_embedded() {
    fifty_identical_webhooks_leave_one_event(Shape::Embedded).await;
}

#[tokio::test]
async fn fifty_identical_webhooks_leave_one_event_in_production() {
    fifty_identical_webhooks_leave_one_event(Shape::Production).await;
}

#[tokio::test]
async fn hundreds_at_once_are_all_written_and_each_gets_its_own_answer() {
    let edge = Edge::start(Shape::Production).await;
    let sent = join_all((0..400).map(|n| {
        let body = json!({"call_id": 1000000000 + n, "talking_time": 61}).to_string();
        let edge = &edge;
        async move {
            let answer = json_of(edge.send(ENDED, body.clone()).await).await;
            (body, answer["event_id"].as_str().unwrap().parse::<EventId>().unwrap())
        }
    }));
    for (body, id) in sent.await {
        let event = db::events::find(&edge.app.db, id).await.unwrap().unwrap();
        assert_eq!(event.body, body.as_bytes());
    }
    let queue = QueueName::new("intake");
    eventually("every intake is announced to the broker", async || {
        edge.count("select count(*) from jobs where publish_at is not null").await == 0
    })
    .await;
    // Wake-ups that wait at the same moment share a message, at most 64.
    assert!((400 / 64..=400).contains(&edge.app.queue.depth(&queue).await.unwrap()));
}

#[tokio::test]
async fn an_authentic_event_of_an_unknown_kind_is_kept() {
    let edge = Edge::start(Shape::Embedded).await;
    let body = json!({"action": "agent_status_changed", "agent_id": 490001}).to_string();
    assert_eq!(json_of(edge.send(ENDED, body).await).await["status"], "accepted");
    assert_eq!(edge.count("select count(*) from events").await, 1);
}

#[tokio::test]
async fn while_the_broker_is_away_webhooks_are_accepted_without_delay() {
    let edge = Edge::start(Shape::Production).await;
    edge.app.queue.close().await;
    let body = json!({"call_id": 1000000001, "talking_time": 61}).to_string();
    assert_eq!(json_of(edge.send(ENDED, body).await).await["status"], "accepted");
    assert_eq!(edge.get("/readyz").await.status(), 200);
    assert_eq!(edge.count("select count(*) from jobs where publish_at is not null").await, 1);
}

#[tokio::test]
async fn while_the_database_is_away_senders_are_told_when_to_come_back() {
    let edge = Edge::start(Shape::Production).await;
    let body = json!({"call_id": 1000000001, "talking_time": 61}).to_string();
    edge.database_away(true).await;
    let answer = edge.send(ENDED, body.clone()).await;
    assert_eq!(answer.headers()["retry-after"], "5");
    assert_eq!(problem(answer).await.0, 503);
    eventually("the process is not ready", async || edge.get("/readyz").await.status() == 503).await;
    assert_eq!(edge.get("/livez").await.status(), 200);
    edge.database_away(false).await;
    assert_eq!(json_of(edge.send(ENDED, body).await).await["status"], "accepted");
    eventually("the process is ready again", async || edge.get("/readyz").await.status() == 200).await;
}

#[tokio::test]
async fn requests_under_way_are_answered_before_it_stops() {
    let mut edge = Edge::start(Shape::Embedded).await;
    let Db::Sqlite(pool) = &edge.app.db else { panic!("embedded") };
    let writing = pool.begin_with("begin immediate").await.unwrap();
    let in_use = || pool.size() as usize - pool.num_idle();
    eventually("only this test uses the database", async || in_use() == 1).await;
    let body = json!({"call_id": 1000000001, "talking_time": 61}).to_string();
    let under_way = tokio::spawn(edge.webhook(ENDED).body(body).send());
    eventually("the request waits for its turn to write", async || in_use() == 2).await;
    edge.stop.cancel();
    eventually("new connections are refused", async || {
        edge.app.outside.http.get(format!("{}/livez", edge.base)).send().await.is_err()
    })
    .await;
    writing.rollback().await.unwrap();
    assert_eq!(json_of(under_way.await.unwrap().unwrap()).await["status"], "accepted");
    edge.served.take().unwrap().await.unwrap();
}
