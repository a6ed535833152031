//! Whom a listener waits for and how long, seen over raw sockets.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    routing::{get, post},
};
use shared::{env::Env, service::listen};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::JoinHandle,
    time::Instant,
};
use tokio_util::sync::CancellationToken;

const QUICK: &str = "GET /quick HTTP/1.1\r\nhost: here\r\n\r\n";

/// A connection, seen from both of its ends.
struct Line {
    peer: TcpStream,
    served: JoinHandle<()>,
    stop: CancellationToken,
    /// Lets `/slow` answer.
    go: Arc<Notify>,
    /// Somebody is in `/slow`, or reads a body.
    busy: Arc<Notify>,
}

impl Line {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stop, go, busy) = (CancellationToken::new(), Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (gate, entered, reading) = (go.clone(), busy.clone(), busy.clone());
        let slow = async move || {
            entered.notify_one();
            gate.notified().await;
            "slow"
        };
        let echo = async move |body: Body| {
            reading.notify_one();
            axum::body::to_bytes(body, 100).await.unwrap()
        };
        let router =
            Router::new().route("/quick", get(async || "quick")).route("/slow", get(slow)).route("/", post(echo));
        let until = stop.clone();
        let served = tokio::spawn(async move { listen::serve(listener, router, &Env::default(), until).await });
        Self { peer, served, stop, go, busy }
    }

    async fn say(&mut self, text: &str) {
        self.peer.write_all(text.as_bytes()).await.unwrap();
    }

    /// Waits until the other end has read what was said: what others say afterwards is answered.
    async fn is_heard(&self) {
        for _ in 0..3 {
            let mut other = TcpStream::connect(self.peer.peer_addr().unwrap()).await.unwrap();
            other.write_all(QUICK.as_bytes()).await.unwrap();
            assert!(other.read_u8().await.is_ok());
        }
    }

    /// What is said up to and with this.
    async fn hear(&mut self, end: &str) -> String {
        let mut heard = Vec::new();
        while !heard.ends_with(end.as_bytes()) {
            heard.push(self.peer.read_u8().await.unwrap());
        }
        String::from_utf8(heard).unwrap()
    }

    /// Seconds until the other end hangs up, and what it said before.
    async fn end(&mut self) -> (u64, String) {
        let (began, mut heard) = (Instant::now(), Vec::new());
        // A socket that is closed with something unread is reset.
        let _ = self.peer.read_to_end(&mut heard).await;
        (began.elapsed().as_secs(), String::from_utf8(heard).unwrap())
    }

    /// Asks everybody to stop: seconds until the listener is done, and what was said before.
    async fn stop(mut self) -> (u64, String) {
        let began = Instant::now();
        self.stop.cancel();
        let (_, heard) = self.end().await;
        self.served.await.unwrap();
        (began.elapsed().as_secs(), heard)
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_has_to_come_to_its_end_and_an_idle_connection_may_wait_longer() {
    let mut half = Line::new().await;
    half.say("GET /quick HTTP/1.1\r\nhost: here\r\n").await;
    assert_eq!(half.end().await, (10, String::new()));
    let mut next = Line::new().await;
    next.say(QUICK).await;
    next.hear("quick").await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    next.say("GET /quick HTTP/1.1\r\n").await;
    assert_eq!(next.end().await.0, 10, "of a second request, too");
    let mut idle = Line::new().await;
    idle.say(QUICK).await;
    idle.hear("quick").await;
    assert_eq!(idle.end().await.0, 75);
}

#[tokio::test(start_paused = true)]
async fn a_sender_that_drips_gains_nothing() {
    let mut drip = Line::new().await;
    let began = Instant::now();
    while drip.peer.write_all(b"G").await.is_ok() && began.elapsed() < Duration::from_secs(60) {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert!((9..=13).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn at_the_end_whoever_has_said_nothing_is_let_go_at_once() {
    let silent = Line::new().await;
    assert_eq!(silent.stop().await, (0, String::new()));
    let mut idle = Line::new().await;
    idle.say(QUICK).await;
    idle.hear("quick").await;
    assert_eq!(idle.stop().await, (0, String::new()));
}

#[tokio::test(start_paused = true)]
async fn at_the_end_what_is_on_its_way_may_arrive_and_no_more() {
    let mut head = Line::new().await;
    head.say("GET /quick HTTP/1.1\r\nhost: here\r\n").await;
    head.is_heard().await;
    assert_eq!(head.stop().await, (1, String::new()));
    let half = "POST / HTTP/1.1\r\nhost: here\r\ncontent-length: 10\r\n\r\n01234";
    let mut body = Line::new().await;
    body.say(half).await;
    body.busy.notified().await;
    assert_eq!(body.stop().await, (1, String::new()));
    let mut whole = Line::new().await;
    whole.say(half).await;
    whole.busy.notified().await;
    whole.stop.cancel();
    tokio::time::sleep(Duration::from_millis(500)).await;
    whole.say("56789").await;
    let (after, answer) = whole.stop().await;
    assert!(after == 0 && answer.starts_with("HTTP/1.1 200") && answer.ends_with("0123456789"), "{after}: {answer}");
}

#[tokio::test(start_paused = true)]
async fn at_the_end_a_request_in_hand_is_answered_unless_it_takes_too_long() {
    for (wait, answered) in [(15, true), (25, false)] {
        let mut line = Line::new().await;
        line.say("GET /slow HTTP/1.1\r\nhost: here\r\n\r\n").await;
        line.busy.notified().await;
        let go = line.go.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(wait)).await;
            go.notify_one();
        });
        let (after, answer) = line.stop().await;
        assert_eq!((after, answer.ends_with("slow")), (wait.min(20), answered), "DRAIN_SECONDS are 25");
    }
}
