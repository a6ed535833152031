//! Every source in the registry against what holds for all webhooks, from the listener to the database.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

use reqwest::Response;
use serde_json::Value;
use shared::{
    db,
    domain::EventKind,
    sources::{
        Source,
        conformance::{Example, examples},
    },
    testing::Shape,
};

use crate::edge::{Edge, problem};

/// The smallest body that is too large for any route whose bodies are read whole; larger ones are for recordings.
const LARGE: usize = 17 << 20;

/// An example's source behind a listener of its own.
struct At {
    edge: Edge,
    example: Example,
}

impl At {
    async fn start(example: Example, shape: Shape) -> Self {
        let settings: Vec<_> = example.settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
        Self { edge: Edge::with(shape, &settings).await, example }
    }

    fn source(&self) -> &dyn Source {
        let mut sources = self.edge.app.sources.iter();
        &**sources.find(|source| source.id().as_str() == self.example.source).unwrap()
    }

    /// Some path of its, and a body for it.
    fn first(&self) -> (&'static str, &'static str) {
        *self.example.requests().next().unwrap()
    }

    async fn send(&self, path: &str, body: &str) -> Response {
        let (address, now) = (format!("{}{path}", self.edge.base), self.edge.app.clock.now());
        let headers = self.example.headers(&address, body.as_bytes(), now);
        self.edge.app.outside.http.post(address).headers(headers).body(body.to_owned()).send().await.unwrap()
    }

    async fn events(&self) -> i64 {
        self.edge.count("select count(*) from events").await
    }
}

async fn each(shape: Shape, check: impl AsyncFn(&At)) {
    for example in examples() {
        check(&At::start(example, shape).await).await;
    }
}

async fn accepted(what: &str, answer: Response) -> Value {
    let (status, body) = (answer.status(), answer.text().await.unwrap());
    assert_eq!(status, 200, "{what}: {body}");
    serde_json::from_str(&body).unwrap()
}

async fn a_replayed_event_is_ignored(shape: Shape) {
    each(shape, async |at| {
        let name = &at.example.name();
        for (path, body) in at.example.events {
            let first = accepted(name, at.send(path, body).await).await;
            assert_eq!(first["status"], "accepted", "{name}: {body}");
        }
        for (path, body) in at.example.events.iter().rev() {
            let again = accepted(name, at.send(path, body).await).await;
            assert_eq!(again["status"], "duplicate", "{name}: {body}");
        }
        assert_eq!(at.events().await, i64::try_from(at.example.events.len()).unwrap(), "{name}");
        let jobs = at.edge.count("select count(*) from jobs").await;
        assert_eq!(jobs, at.events().await, "{name}: work for each event, once");
    })
    .await;
}

#[tokio::test]
async fn a_replayed_event_is_ignored_embedded() {
    a_replayed_event_is_ignored(Shape::Embedded).await;
}

#[tokio::test]
async fn a_replayed_event_is_ignored_in_production() {
    a_replayed_event_is_ignored(Shape::Production).await;
}

/// That carrying such a change over twice changes nothing is for the tests of the mirror.
#[tokio::test]
async fn what_nothing_tells_from_its_repetition_is_only_ever_about_a_contact() {
    each(Shape::Embedded, async |at| {
        let name = &at.example.name();
        for (path, body) in [at.example.changes, at.example.changes].concat() {
            assert_eq!(accepted(name, at.send(path, body).await).await["status"], "accepted", "{name}: {body}");
        }
        let mirrored = at.edge.count("select count(*) from jobs where step = 'mirror'").await;
        assert_eq!(mirrored, at.events().await, "{name}");
    })
    .await;
}

#[tokio::test]
async fn a_sender_that_shows_nothing_or_something_wrong_gets_401_and_leaves_nothing() {
    each(Shape::Embedded, async |at| {
        let (path, body) = at.first();
        let address = format!("{}{path}", at.edge.base);
        let right = at.example.headers(&address, body.as_bytes(), at.edge.app.clock.now());
        let shown = (at.example.sign)(&address, body.as_bytes(), at.edge.app.clock.now());
        for (header, value) in shown {
            for wrong in [None, Some(String::new()), Some("nonsense".to_owned()), Some(value.to_uppercase())] {
                let mut headers = right.clone();
                headers.remove(header);
                if let Some(wrong) = &wrong {
                    headers.insert(header, wrong.parse().unwrap());
                }
                let sent = at.edge.app.outside.http.post(&address).headers(headers).body("nonsense").send().await;
                assert_eq!(problem(sent.unwrap()).await.0, 401, "{}: {header}: {wrong:?}", at.example.name());
            }
        }
        for route in at.source().webhooks() {
            let request = at.edge.app.outside.http.post(format!("{}{}", at.edge.base, route.path));
            let sent = request.header("content-type", at.example.content_type).body(body).send().await.unwrap();
            assert_eq!(problem(sent).await.0, 401, "{}: {}", at.example.name(), route.path);
        }
        assert_eq!(at.events().await, 0, "{}", at.example.name());
    })
    .await;
}

#[tokio::test]
async fn an_authentic_event_that_nobody_knows_is_kept() {
    each(Shape::Embedded, async |at| {
        let Some((path, body)) = at.example.unknown else { return };
        let answer = accepted(&at.example.name(), at.send(path, body).await).await;
        let id = answer["event_id"].as_str().unwrap().parse().unwrap();
        let event = db::events::find(&at.edge.app.db, shared::domain::EventId(id)).await.unwrap().unwrap();
        assert!(matches!(event.kind, EventKind::Other(_)), "{}: {:?}", at.example.name(), event.kind);
        assert_eq!(event.body, body.as_bytes(), "{}", at.example.name());
    })
    .await;
}

#[tokio::test]
async fn garbage_is_answered_with_400_and_too_much_of_it_with_413() {
    each(Shape::Embedded, async |at| {
        let (path, _) = at.first();
        for garbage in ["", "{", "[1, 2]", "\u{0}\u{1}", "{\"a\": \"\\ud800\"}"] {
            let status = problem(at.send(path, garbage).await).await.0;
            assert!(matches!(status, 400 | 422), "{}: {garbage:?}: {status}", at.example.name());
        }
        let large = at.send(path, &"x".repeat(LARGE)).await;
        assert_eq!(problem(large).await.0, 413, "{}", at.example.name());
        assert_eq!(at.events().await, 0, "{}", at.example.name());
    })
    .await;
}

#[tokio::test]
async fn only_posts_are_taken() {
    each(Shape::Embedded, async |at| {
        let (path, _) = at.first();
        assert_eq!(problem(at.edge.get(path).await).await.0, 405, "{}", at.example.name());
    })
    .await;
}
