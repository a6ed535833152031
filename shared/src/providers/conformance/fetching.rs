//! What providers do when a recording is fetched.
#![expect(clippy::missing_panics_doc, clippy::unwrap_used, reason = "tests may panic")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{Router, http::StatusCode};

use super::calling;
use crate::{
    domain::{Call, CallFacts, CallId, Verdict},
    providers::{Provider, RecordingError},
    sources::conformance::{PUBLIC, now},
};

fn call(provider: &dyn Provider, facts: CallFacts) -> Call {
    let (id, account, created_at) = (CallId::new(), "default".to_owned(), now());
    Call { id, provider: provider.id(), account, facts, conclusion: None, created_at }
}

/// 429 is waited for as long as the vendor says, 400 needs a person, 500 is tried again by the schedule.
pub async fn a_vendors_answer_has_its_verdict() {
    let verdicts = [
        (429, Verdict::Snooze { after: Duration::from_secs(17) }),
        (400, Verdict::Fail),
        (500, Verdict::Retry { after: None }),
    ];
    for (status, expected) in verdicts {
        let answer = (StatusCode::from_u16(status).unwrap(), [("retry-after", "17")], "{\"secret\": \"a.wav\"}");
        // Only who is throttled is told when to come back.
        let answer = move || async move { if status == 429 { Ok(answer) } else { Err((answer.0, answer.2)) } };
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let serving = tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
        for example in calling() {
            let (settings, facts) = example.vendor.expect("examples of providers have one")(&url);
            let provider = example.provider(PUBLIC, settings);
            match provider.open_recording(&call(&*provider, facts)).await {
                Err(RecordingError::Step(error)) => {
                    assert_eq!(error.verdict, expected, "{}: {status}", example.name());
                    let text = format!("{error:#}");
                    assert!(!text.contains("a.wav"), "{}: {text}", example.name());
                }
                Ok(_) => panic!("{}: {status} is a recording", example.name()),
                Err(other) => panic!("{}: {status}: {other:?}", example.name()),
            }
        }
        serving.abort();
    }
}

/// A URL in a payload is fetched from the provider's own hosts, and from nowhere else.
pub async fn a_recording_on_a_foreign_or_private_host_is_not_asked_for() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = tokio::spawn(async move {
        while listener.accept().await.is_ok() {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    });
    let urls = [
        format!("http://127.0.0.1:{port}/a.wav"),
        format!("https://localhost:{port}/a.wav"),
        format!("http://[::ffff:127.0.0.1]:{port}/a.wav"),
        "http://169.254.169.254/latest/meta-data/a.wav".to_owned(),
        "https://evil.test/a.wav".to_owned(),
        "https://user:secret@evil.test/a.wav".to_owned(),
        "file:///etc/passwd".to_owned(),
    ];
    for example in calling() {
        let provider = example.provider(PUBLIC, Vec::new());
        for url in &urls {
            let facts = CallFacts { recording_url: Some(url.clone()), ..CallFacts::default() };
            match provider.open_recording(&call(&*provider, facts)).await {
                Ok(_) => panic!("{} fetched {url}", example.name()),
                Err(RecordingError::Step(error)) => {
                    let text = format!("{error:#}");
                    assert!(!text.contains("a.wav") && !text.contains("secret"), "{}: {text}", example.name());
                }
                Err(RecordingError::NotReady | RecordingError::Never(_)) => {}
            }
        }
    }
    serving.abort();
    assert_eq!(asked.load(Ordering::Relaxed), 0, "somebody was asked");
}
