//! A running ingest with an installation of its own.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

use reqwest::{RequestBuilder, Response};
use serde_json::Value;
use shared::{
    db::Db,
    env::Env,
    service::{App, Role},
    testing::{Scratch, Shape},
};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

pub(crate) const SECRET: &str = "the shared secret";
pub(crate) const ENDED: &str = "/api/cloudtalk-webhooks/call-ended";

/// Ingest on a free port; gone when dropped.
pub(crate) struct Edge {
    pub(crate) app: App,
    pub(crate) base: String,
    pub(crate) stop: CancellationToken,
    pub(crate) served: Option<JoinHandle<()>>,
    pub(crate) scratch: Scratch,
}

impl Edge {
    pub(crate) async fn start(shape: Shape) -> Self {
        Self::with(shape, &[]).await
    }

    /// With further settings.
    pub(crate) async fn with(shape: Shape, more: &[(&str, &str)]) -> Self {
        let scratch = Scratch::new(shape).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let env = scratch.env().with([("CLOUDTALK_WEBHOOK_SECRET", SECRET), ("WEBHOOK_BASE_URL", &base)]);
        let env = env.with(more.iter().map(|(name, value)| (name.to_string(), value.to_string())));
        let role = if shape == Shape::Embedded { Role::Whole } else { Role::Part };
        let app = App::open("ingest", env, role).await.unwrap();
        let stop = CancellationToken::new();
        let served = Some(tokio::spawn(ingest::serve(app.clone(), listener, stop.clone())));
        Self { app, base, stop, served, scratch }
    }

    /// A webhook with the right secret and no body yet.
    pub(crate) fn webhook(&self, path: &str) -> RequestBuilder {
        self.app.outside.http.post(format!("{}{path}", self.base)).bearer_auth(SECRET)
    }

    /// A webhook with this body.
    pub(crate) async fn send(&self, path: &str, body: impl Into<String>) -> Response {
        let request = self.webhook(path).header("content-type", "application/json");
        request.body(body.into()).send().await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.app.outside.http.get(format!("{}{path}", self.base)).send().await.unwrap()
    }

    /// A number that the database computes.
    pub(crate) async fn count(&self, sql: &'static str) -> i64 {
        match &self.app.db {
            Db::Postgres(pool) => sqlx::query_scalar(sql).fetch_one(pool).await.unwrap(),
            Db::Sqlite(pool) => sqlx::query_scalar(sql).fetch_one(pool).await.unwrap(),
        }
    }

    /// Makes the Postgres database refuse everyone and drop who is connected, as while it is restarted; or lets all in again.
    pub(crate) async fn database_away(&self, away: bool) {
        let url: reqwest::Url = self.scratch.env().required("DATABASE_URL").unwrap().parse().unwrap();
        let name = url.path().trim_start_matches('/');
        let process = Env::from_process().unwrap();
        let mut server = PgConnection::connect(process.required("TEST_DATABASE_URL").unwrap()).await.unwrap();
        let allow = format!("alter database {name} with allow_connections {}", !away);
        sqlx::query(AssertSqlSafe(allow)).execute(&mut server).await.unwrap();
        let drop = "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1";
        sqlx::query(drop).bind(name).execute(&mut server).await.unwrap();
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// The status of a refusal, after a look at its form.
pub(crate) async fn problem(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    assert_eq!(response.headers()["content-type"], "application/problem+json", "{status}");
    let body: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    assert_eq!(body["status"], status, "{body}");
    assert_eq!(body["type"], "about:blank", "{body}");
    assert!(body["title"].is_string() && body["detail"].is_string(), "{body}");
    (status, body)
}
