//! A running console over an installation of its own, and calls to look at.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

use chrono::{DateTime, TimeDelta, Utc};
use console::Access;
use reqwest::Response;
use serde_json::Value;
use shared::{
    db::{
        calls,
        events::{self, Incoming},
        jobs,
        settle::{End, Settlement, settle},
    },
    domain::{
        CallFacts, CallId, CallKey, CallStatus, Conclusion, EventId, EventKind, NewEvent, NewJob, Phone, ProviderId,
        Recording, Step, Wake, Write,
    },
    service::{App, Role},
    testing::{Scratch, Shape},
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub(crate) const TOKEN: &str = "the API's token";

/// The console on a free port; gone when dropped.
pub(crate) struct Desk {
    pub(crate) app: App,
    pub(crate) base: String,
    stop: CancellationToken,
    _scratch: Scratch,
}

impl Desk {
    pub(crate) async fn start(shape: Shape) -> Self {
        Self::with(shape, &[("API_TOKEN", TOKEN)]).await
    }

    pub(crate) async fn with(shape: Shape, settings: &[(&str, &str)]) -> Self {
        let scratch = Scratch::new(shape).await;
        let env = scratch.env().with([("WEBHOOK_BASE_URL", "https://calls.example.test")]);
        let env = env.with(settings.iter().copied());
        let access = Access::from_env(&env).unwrap();
        let app = App::open("console", env, Role::Whole).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        tokio::spawn(console::serve(app.clone(), access, listener, stop.clone()));
        Self { app, base, stop, _scratch: scratch }
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.app.outside.http.get(format!("{}{path}", self.base)).bearer_auth(TOKEN).send().await.unwrap()
    }

    /// The answer of a question that is answered.
    pub(crate) async fn ask(&self, path: &str) -> Value {
        let response = self.get(path).await;
        assert_eq!(response.status(), 200, "{path}");
        serde_json::from_str(&response.text().await.unwrap()).unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Response {
        let request = self.app.outside.http.post(format!("{}{path}", self.base)).bearer_auth(TOKEN);
        request.body(body.to_string()).send().await.unwrap()
    }

    /// A call that ended, `number` minutes after nine, with its intake waiting.
    pub(crate) async fn call(&self, number: u32, facts: CallFacts) -> CallId {
        self.call_of("cloudtalk", number, facts).await
    }

    /// The same of another provider.
    pub(crate) async fn call_of(&self, provider: &'static str, number: u32, facts: CallFacts) -> CallId {
        let received_at: DateTime<Utc> = "2026-11-20T09:00:00Z".parse().unwrap();
        let received_at = received_at + TimeDelta::minutes(number.into());
        let provider_call_id = Some(format!("{}", 1_000_000_000 + number));
        let key = CallKey { kind: "id".into(), value: provider_call_id.clone().unwrap() };
        let keys = [vec![key], facts.keys].concat();
        let facts = CallFacts { provider_call_id, keys, ..facts };
        let event = NewEvent {
            provider: ProviderId::new(provider),
            account: "default".into(),
            kind: EventKind::CallEnded,
            dedupe_key: number.to_string(),
            body: b"{}".to_vec(),
        };
        let id = EventId::new();
        let incoming = Incoming { id, event, traceparent: None };
        events::record(&self.app.db, &[incoming], received_at, received_at).await.unwrap();
        let event = events::find(&self.app.db, id).await.unwrap().unwrap();
        let mut tx = self.app.db.begin().await.unwrap();
        let (call, _) = calls::tie(&mut tx, &event, &facts, received_at).await.unwrap();
        calls::save_facts(&mut tx, call, &facts, received_at).await.unwrap();
        tx.commit().await.unwrap();
        call
    }

    /// Has a step of a call tried, with this end and these results.
    pub(crate) async fn tried(&self, call: CallId, step: Step, end: End, writes: Vec<Write>) {
        let now = self.app.clock.now();
        let new = NewJob::step(step, call, Wake::Yes);
        let id = new.id;
        let mut tx = self.app.db.begin().await.unwrap();
        jobs::add(&mut tx, &[(new, None)], now, now).await.unwrap();
        tx.commit().await.unwrap();
        let owner = Uuid::now_v7();
        let job = jobs::claim(&self.app.db, &[id], owner, now, now).await.unwrap().pop().unwrap();
        let settlement = Settlement { job, end, writes, next: Vec::new() };
        settle(&self.app.db, owner, &[settlement], now, now).await.unwrap();
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// What a step ends with that nobody can help.
pub(crate) fn dead(reason: &'static str) -> End {
    End::Dead { reason: reason.into(), error: "not what was hoped for".into() }
}

/// A stored recording.
pub(crate) fn recording(call: CallId, at: &App) -> Write {
    Write::Recording(
        call,
        Recording {
            object_key: format!("recordings/cloudtalk/{call}.wav"),
            size_bytes: 960_044,
            sha256: "ab".repeat(32),
            duration_seconds: 60.0,
            channels: 2,
            sample_rate: 8000,
            format: "wav".into(),
            stored_at: at.clock.now(),
        },
    )
}

/// What our work came to.
pub(crate) fn concluded(call: CallId, conclusion: Conclusion) -> Write {
    Write::Conclusion(call, conclusion)
}

/// A call of that status and number.
pub(crate) fn facts(status: CallStatus, phone: &str) -> CallFacts {
    CallFacts {
        status: Some(status),
        external_phone: Phone::parse(phone),
        recording_url: Some("https://recordings.example.test/secret".into()),
        ..CallFacts::default()
    }
}
