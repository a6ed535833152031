//! One webhook, from its raw bytes to its answer. Nothing is read before the source has vouched for it.

use std::{sync::Arc, time::Instant};

use axum::{
    Json,
    extract::Request,
    http::{StatusCode, request::Parts},
    response::{IntoResponse, Response},
    routing::{MethodRouter, post},
};
use chrono::{DateTime, Utc};
use shared::{
    clock::Clock,
    db::events::Recorded,
    domain::EventKind,
    service::problem::Problem,
    sources::{Accepted, Sieve, Source, Unusable, WebhookRequest, WebhookRoute},
    telemetry,
};
use tracing::{Instrument, Span, field::Empty};

use crate::{
    body::{Received, Room},
    recorder::{RecordError, Recorder},
    sifted::{Audio, Sifter},
};

/// When the row could not be written, senders are asked to wait so many seconds.
const RETRY_AFTER: u32 = 5;

/// What all routes share.
#[derive(Clone)]
pub(crate) struct Door {
    pub(crate) clock: Clock,
    pub(crate) recorder: Recorder,
    pub(crate) room: Room,
    pub(crate) sifter: Sifter,
}

struct Endpoint {
    source: Arc<dyn Source>,
    route: WebhookRoute,
    door: Door,
}

/// A request whose body was read.
struct Read {
    head: Parts,
    received: Received,
    received_at: DateTime<Utc>,
    sifted: Option<(Box<dyn Sieve>, Option<Audio>)>,
}

/// What a request came to; `answer` and `kind` are metric labels, so they are few.
struct Answer {
    answer: &'static str,
    kind: &'static str,
    response: Response,
}

/// The handler of one route.
pub(crate) fn endpoint(source: Arc<dyn Source>, route: WebhookRoute, door: Door) -> MethodRouter {
    let endpoint = Arc::new(Endpoint { source, route, door });
    post(move |request: Request| async move { endpoint.handle(request).await })
}

impl Endpoint {
    async fn handle(&self, request: Request) -> Response {
        let began = Instant::now();
        let provider = self.source.id().to_string();
        let span = tracing::info_span!("webhook", provider, route = self.route.hint, kind = Empty, trace_id = Empty);
        let Answer { answer, kind, response } = self.receive(request).instrument(span).await;
        metrics::histogram!("tapedeck_webhook_duration_seconds", "provider" => provider.clone())
            .record(began.elapsed().as_secs_f64());
        metrics::counter!("tapedeck_webhooks_total", "provider" => provider, "kind" => kind, "answer" => answer)
            .increment(1);
        response
    }

    /// Reads the body; one that may hold a recording is taken apart meanwhile.
    async fn read(&self, request: Request) -> Result<Read, Answer> {
        let unread = |problem: Problem| {
            let full = problem.status() == StatusCode::SERVICE_UNAVAILABLE;
            refused("unread", "unread", if full { problem.with_status(self.source.busy()) } else { problem })
        };
        let (head, body) = request.into_parts();
        if !self.source.may_pass(target(&head), &head.headers) {
            return Err(unverified());
        }
        let (began, max) = (self.door.clock.now(), self.route.max_bytes);
        let Some(sieve) = self.source.sieve(&self.route, &head.headers, began) else {
            let received = self.door.room.read(&head.headers, body, max).await.map_err(unread)?;
            return Ok(Read { head, received, received_at: self.door.clock.now(), sifted: None });
        };
        let mut sieve = sieve.map_err(|_| unverified())?;
        let read = self.door.sifter.read(&head.headers, body, max, &mut *sieve).await;
        let (received, audio) = read.map_err(unread)?;
        Ok(Read { head, received, received_at: began, sifted: Some((sieve, audio)) })
    }

    async fn receive(&self, request: Request) -> Answer {
        let traceparent = telemetry::traceparent_of(&Span::current());
        let Read { head, received, received_at, sifted } = match self.read(request).await {
            Ok(read) => read,
            Err(answer) => return answer,
        };
        let request =
            WebhookRequest { target: target(&head), headers: &head.headers, body: &received.bytes, received_at };
        let (verified, audio) = match sifted {
            Some((sieve, audio)) => (sieve.verify(&request), audio),
            None => (self.source.verify(&request), None),
        };
        let Ok(verified) = verified else { return unverified() };
        let mut event = match self.source.receive(&self.route, verified) {
            Ok(event) => event,
            Err(unusable) => {
                tracing::info!(why = %unusable, "webhook cannot be used");
                return refused("unusable", "unread", problem(unusable));
            }
        };
        let kind = label(&event.kind);
        Span::current().record("kind", event.kind.as_str());
        if let Some(audio) = audio.filter(|_| event.kind == EventKind::RecordingAvailable)
            && let Some(recording) = self.door.sifter.keep(&event, audio).await
        {
            event = self.source.with_recording(event, &recording);
        }
        match self.door.recorder.record(event, traceparent, received.into_room()).await {
            Ok((id, Recorded::New)) => {
                tracing::info!(event.id = %id, "event accepted");
                accepted(kind, Accepted::new(id), "accepted")
            }
            Ok((_, Recorded::Duplicate)) => {
                tracing::info!("event known already");
                accepted(kind, Accepted::duplicate(), "duplicate")
            }
            Err(error) => refused(unrecorded(error), kind, self.unrecorded(error)),
        }
    }

    fn unrecorded(&self, error: RecordError) -> Problem {
        match error {
            RecordError::Unstorable => Problem::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()),
            RecordError::Full | RecordError::Away => {
                Problem::new(self.source.busy(), error.to_string()).retry_after(RETRY_AFTER)
            }
        }
    }
}

/// Path and query exactly as received.
fn target(head: &Parts) -> &str {
    head.uri.path_and_query().map_or("/", |target| target.as_str())
}

fn unverified() -> Answer {
    refused("unverified", "unread", Problem::unauthorized("the signature or secret does not match"))
}

fn accepted(kind: &'static str, body: Accepted, answer: &'static str) -> Answer {
    Answer { answer, kind, response: Json(body).into_response() }
}

fn refused(answer: &'static str, kind: &'static str, problem: Problem) -> Answer {
    let status = problem.status().as_u16();
    if problem.status().is_server_error() {
        tracing::warn!(status, answer, "webhook not accepted");
    } else {
        tracing::info!(status, answer, "webhook refused");
    }
    Answer { answer, kind, response: problem.into_response() }
}

fn problem(unusable: Unusable) -> Problem {
    match unusable {
        Unusable::Malformed { expected } => {
            Problem::new(StatusCode::BAD_REQUEST, format!("the body is not {expected}"))
        }
        Unusable::Field { field, detail } => Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail).field(field),
        Unusable::MediaType { expected } => {
            Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, format!("expected {expected}"))
        }
    }
}

fn unrecorded(error: RecordError) -> &'static str {
    match error {
        RecordError::Unstorable => "unstorable",
        RecordError::Full => "full",
        RecordError::Away => "database-away",
    }
}

/// Kinds that a source makes up are one label: nobody outside decides how many series there are.
fn label(kind: &EventKind) -> &'static str {
    match kind {
        EventKind::CallStarted => "call-started",
        EventKind::CallEnded => "call-ended",
        EventKind::RecordingAvailable => "recording-available",
        EventKind::NewContact => "new-contact",
        EventKind::ContactUpdated => "contact-updated",
        EventKind::NewTag => "new-tag",
        EventKind::NewNote => "new-note",
        EventKind::PipelineStageChanged => "pipeline-stage-changed",
        EventKind::OpportunityStatusChanged => "opportunity-status-changed",
        EventKind::Other(_) => "other",
    }
}
