//! A small server for one test, which ends with it.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    extract::Request,
    http::{HeaderMap, Uri},
    middleware::{self, Next},
};
use shared::{budgets::Budgets, clock::Clock, http::Outside};

/// What was asked of the server.
#[derive(Clone, Debug)]
pub struct Asked {
    pub uri: Uri,
    pub headers: HeaderMap,
}

pub struct Server {
    pub port: u16,
    asked: Arc<Mutex<Vec<Asked>>>,
    serving: tokio::task::JoinHandle<()>,
}

impl Server {
    pub async fn start(routes: Router) -> Self {
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let seen = asked.clone();
        let note = move |request: Request, next: Next| {
            seen.lock().unwrap().push(Asked { uri: request.uri().clone(), headers: request.headers().clone() });
            next.run(request)
        };
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let app = routes.layer(middleware::from_fn(note));
        let serving = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { port, asked, serving }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// The client that the crate itself uses.
pub fn client() -> reqwest::Client {
    Outside::new(Budgets::unlimited(), Clock::system()).unwrap().http
}
