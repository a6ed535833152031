//! A provider's sending side. The sandbox posts webhooks here; they are passed on until they are accepted: again after the
//! time that a 503 asks for, again when there is no answer. What was answered is counted.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Context;
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, Uri, header},
};
use futures::future::join_all;
use tokio::{net::TcpListener, task::AbortHandle};

/// A webhook is given up after this long; below the patience of the sandbox.
const GIVES_UP: Duration = Duration::from_secs(26);
/// Before a webhook without any answer is sent again.
const UNANSWERED: Duration = Duration::from_millis(500);

/// What was answered so far.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Different webhooks that were accepted, as path and body.
    pub accepted: HashSet<(String, Bytes)>,
    /// Answers of 200.
    pub successes: usize,
    /// Answers of 503 with `Retry-After`.
    pub refusals: usize,
    /// Connections that broke or were refused.
    pub unanswered: usize,
    /// Answers that should never be given: another status, or 503 without `Retry-After`.
    pub wrong: Vec<String>,
    /// The longest wait for an answer.
    pub slowest: Duration,
}

/// The sending side. Stops when dropped.
#[derive(Debug)]
pub struct Sender {
    url: String,
    post: Arc<Post>,
    serving: AbortHandle,
}

#[derive(Debug)]
struct Post {
    to: String,
    http: reqwest::Client,
    copies: AtomicUsize,
    tally: Mutex<Tally>,
}

impl Sender {
    /// Passes webhooks on to this origin.
    ///
    /// # Errors
    /// When there is no free port.
    pub async fn start(to: String) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("no free port")?;
        let url = format!("http://{}", listener.local_addr()?);
        #[expect(clippy::disallowed_methods, reason = "the provider's, which is outside")]
        let http = reqwest::Client::builder().timeout(Duration::from_secs(15)).no_proxy().build()?;
        let post = Arc::new(Post { to, http, copies: AtomicUsize::new(1), tally: Mutex::default() });
        let router = Router::new().fallback(pass_on).with_state(post.clone());
        let serving = tokio::spawn(async move {
            // Never ends but by being aborted.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { url, post, serving: serving.abort_handle() })
    }

    /// Where webhooks are to be posted.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Sends every webhook so many times at once.
    pub fn copies(&self, copies: usize) {
        self.post.copies.store(copies, Ordering::Relaxed);
    }

    /// What was answered so far.
    pub fn tally(&self) -> Tally {
        self.post.tally().clone()
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn pass_on(State(post): State<Arc<Post>>, uri: Uri, headers: HeaderMap, body: Bytes) -> (StatusCode, Bytes) {
    let copies = post.copies.load(Ordering::Relaxed);
    let answers = join_all((0..copies).map(|_| post.deliver(&uri, &headers, &body))).await;
    // Whatever went wrong is what the sandbox hears of.
    let worst = answers.into_iter().max_by_key(|(status, _)| status.as_u16());
    worst.unwrap_or((StatusCode::BAD_GATEWAY, Bytes::new()))
}

impl Post {
    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn deliver(&self, uri: &Uri, headers: &HeaderMap, body: &Bytes) -> (StatusCode, Bytes) {
        let deadline = Instant::now() + GIVES_UP;
        loop {
            let wait = match self.send(uri, headers, body).await {
                Ok(answer) => return answer,
                Err(wait) => wait,
            };
            if Instant::now() + wait > deadline {
                self.tally().wrong.push("given up: never accepted".to_owned());
                return (StatusCode::GATEWAY_TIMEOUT, Bytes::new());
            }
            tokio::time::sleep(wait).await;
        }
    }

    /// The answer, or how long to wait before it is sent again.
    async fn send(&self, uri: &Uri, headers: &HeaderMap, body: &Bytes) -> Result<(StatusCode, Bytes), Duration> {
        let began = Instant::now();
        let mut headers = headers.clone();
        headers.remove(header::HOST);
        let request = self.http.post(format!("{}{uri}", self.to)).headers(headers).body(body.clone());
        let Ok(answer) = request.send().await else {
            self.tally().unanswered += 1;
            return Err(UNANSWERED);
        };
        let status = answer.status();
        let asked = answer.headers().get(header::RETRY_AFTER).and_then(|s| s.to_str().ok()?.parse().ok());
        let text = answer.bytes().await.unwrap_or_default();
        let mut tally = self.tally();
        tally.slowest = tally.slowest.max(began.elapsed());
        match (status, asked) {
            (StatusCode::OK, _) => {
                tally.successes += 1;
                tally.accepted.insert((uri.to_string(), body.clone()));
            }
            (StatusCode::SERVICE_UNAVAILABLE, Some(seconds)) => {
                tally.refusals += 1;
                return Err(Duration::from_secs(seconds));
            }
            _ => tally.wrong.push(format!("{status}, Retry-After {asked:?}")),
        }
        Ok((status, text))
    }
}
