//! What is refused, and how.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::{
    body::{Body, Bytes},
    http::{Request, StatusCode},
};
use futures::stream;
use serde_json::json;
use shared::testing::Shape;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::edge::{ENDED, Edge, SECRET, problem};

#[tokio::test]
async fn every_bad_input_gets_its_own_answer() {
    let edge = Edge::start(Shape::Embedded).await;
    let good = json!({"call_id": 1000000001, "talking_time": 61}).to_string();
    let url = format!("{}{ENDED}", edge.base);
    let http = &edge.app.outside.http;
    let json = |body: &str| edge.webhook(ENDED).header("content-type", "application/json").body(body.to_owned());
    let cases = [
        ("no secret", http.post(&url).body(good.clone()), 401),
        ("wrong secret", http.post(&url).bearer_auth("guess").body(good.clone()), 401),
        ("wrong secret and no JSON", http.post(&url).bearer_auth("guess").body("nonsense"), 401),
        ("no JSON", json("nonsense"), 400),
        ("no body", json(""), 400),
        ("another JSON", json("[1, 2]"), 400),
        ("a form", edge.webhook(ENDED).form(&[("call_id", "1")]), 415),
        ("an encoded body", json(&good).header("content-encoding", "gzip"), 415),
        ("no call", json("{\"talking_time\": 61}"), 422),
        ("another method", http.get(&url).bearer_auth(SECRET), 405),
        ("another path", edge.webhook("/api/cloudtalk-webhooks/nothing").body(good.clone()), 404),
        ("another provider", edge.webhook("/webhooks/nobody").body(good.clone()), 404),
    ];
    for (what, request, expected) in cases {
        let response = request.send().await.unwrap();
        if expected == 401 {
            assert_eq!(response.headers()["www-authenticate"], "Bearer", "{what}");
        }
        let (status, body) = problem(response).await;
        assert_eq!(status, expected, "{what}: {body}");
        assert_eq!(body.get("field").is_some(), expected == 422, "{what}: {body}");
        assert!(!body.to_string().contains("nonsense"), "repeats what was sent: {body}");
    }
    assert_eq!(edge.count("select count(*) from events").await, 0);
}

#[tokio::test]
async fn an_announced_length_over_the_limit_is_refused_before_the_body_is_sent() {
    let edge = Edge::start(Shape::Embedded).await;
    let mut socket = TcpStream::connect(edge.base.trim_start_matches("http://")).await.unwrap();
    let head = format!("POST {ENDED} HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999\r\nconnection: close\r\n\r\n");
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.contains("application/problem+json"), "{answer}");
}

#[tokio::test]
async fn who_shows_a_wrong_secret_or_no_signature_is_refused_before_the_body_is_sent() {
    let twilio = [("TWILIO_ACCOUNT_SID", "AC00000000000000000000000000000001"), ("TWILIO_AUTH_TOKEN", "token")];
    let edge = Edge::with(Shape::Embedded, &twilio).await;
    for (path, shown) in [(ENDED, "authorization: Bearer guess\r\n"), ("/webhooks/twilio-recording", "")] {
        let mut socket = TcpStream::connect(edge.base.trim_start_matches("http://")).await.unwrap();
        let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\n{shown}content-length: 500\r\n\r\n");
        socket.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 401 "), "{path}: {answer}");
    }
}

#[tokio::test]
async fn a_body_of_unknown_length_is_read_up_to_the_limit_and_no_further() {
    let edge = Edge::start(Shape::Embedded).await;
    let pulled = Arc::new(AtomicUsize::new(0));
    let counter = pulled.clone();
    let endless = stream::repeat_with(move || {
        counter.fetch_add(64 * 1024, Ordering::Relaxed);
        Ok::<_, std::io::Error>(Bytes::from_static(&[b' '; 64 * 1024]))
    });
    let request = Request::post(ENDED).header("authorization", format!("Bearer {SECRET}"));
    let request = request.body(Body::from_stream(endless)).unwrap();
    let router = ingest::router(&edge.app, CancellationToken::new());
    let response = router.oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let limit = edge.app.providers.iter().next().unwrap().webhooks()[0].max_bytes;
    assert!(pulled.load(Ordering::Relaxed) <= limit + 64 * 1024, "{pulled:?} bytes were read");
}

#[tokio::test]
async fn a_body_that_breaks_off_leaves_nothing() {
    let edge = Edge::start(Shape::Embedded).await;
    let mut socket = TcpStream::connect(edge.base.trim_start_matches("http://")).await.unwrap();
    let head = format!("POST {ENDED} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {SECRET}\r\n");
    socket.write_all(format!("{head}content-length: 100\r\n\r\n{{\"call_id\": 1").as_bytes()).await.unwrap();
    socket.shutdown().await.unwrap();
    let mut answer = String::new();
    // The server may answer or hang up; it must not accept.
    let _ = socket.read_to_string(&mut answer).await;
    assert!(!answer.contains(" 200 "), "{answer}");
    assert_eq!(edge.count("select count(*) from events").await, 0);
}
