//! What a step finds: a call with some results.

use std::time::Duration;

use async_trait::async_trait;
use shared::{
    db::{
        self,
        settle::{End, Settlement},
    },
    domain::{
        Call, CallFacts, Delivery, Event, EventId, EventKind, Feedback, Job, JobId, Milestone, NewEvent, NewJob,
        ProviderId, Recording, Report, SinkId, StepError, Transcript, Write,
    },
    service::App,
    sinks::Sink,
};
use uuid::Uuid;

/// A sink that wants to hear of these milestones, and holds nothing; of the end only once there is a conclusion.
pub struct Crm(pub &'static [Milestone]);

#[async_trait]
impl Sink for Crm {
    fn id(&self) -> SinkId {
        SinkId::new("crm")
    }

    fn wants(&self, milestone: Milestone, call: &Call) -> bool {
        self.0.contains(&milestone) && (milestone != Milestone::Analyzed || call.conclusion.is_some())
    }

    async fn deliver(&self, _: &Report) -> Result<Vec<Delivery>, StepError> {
        Ok(Vec::new())
    }

    async fn check(&self) -> anyhow::Result<String> {
        Ok(String::new())
    }
}

/// What is known of the call.
#[derive(Default)]
pub struct Given {
    pub facts: CallFacts,
    pub recording: Option<Recording>,
    pub transcript: Option<Transcript>,
    pub feedback: Option<Feedback>,
}

/// Puts such a call into the database.
pub async fn call(app: &App, given: Given) -> Call {
    let event = event(app).await;
    let mut tx = app.db.begin().await.unwrap();
    let (call, _) = db::calls::tie(&mut tx, &event, &given.facts, app.clock.now()).await.unwrap();
    db::calls::save_facts(&mut tx, call, &given.facts, app.clock.now()).await.unwrap();
    tx.commit().await.unwrap();

    let mut writes = Vec::new();
    writes.extend(given.recording.map(|recording| Write::Recording(call, recording)));
    writes.extend(given.transcript.map(|transcript| Write::Transcript(call, transcript)));
    writes.extend(given.feedback.map(|feedback| Write::Feedback(call, feedback)));
    settle(app, event.id, writes).await;
    db::calls::find(&app.db, call).await.unwrap().unwrap()
}

/// Writes results as the runner does.
pub async fn written(app: &App, writes: Vec<Write>) {
    settle(app, event(app).await.id, writes).await;
}

async fn event(app: &App) -> Event {
    let (now, id) = (app.clock.now(), EventId::new());
    let event = NewEvent {
        provider: ProviderId::new("cloudtalk"),
        account: "default".into(),
        kind: EventKind::CallEnded,
        dedupe_key: id.to_string(),
        body: b"{}".to_vec(),
    };
    let incoming = db::events::Incoming { id, event, traceparent: None };
    db::events::record(&app.db, &[incoming], now, now).await.unwrap();
    db::events::find(&app.db, id).await.unwrap().unwrap()
}

async fn settle(app: &App, event: EventId, writes: Vec<Write>) {
    let (now, owner) = (app.clock.now(), Uuid::now_v7());
    let lease = now + Duration::from_secs(60);
    let jobs = db::jobs::claim(&app.db, &[JobId(event.0)], owner, now, lease).await.unwrap();
    let job = jobs.into_iter().next().unwrap();
    let settlement = Settlement { job, end: End::Done { skipped: None }, writes, next: Vec::new() };
    db::settle::settle(&app.db, owner, &[settlement], now, now).await.unwrap();
}

/// The first try of a job.
pub fn job(new: &NewJob) -> Job {
    Job {
        id: new.id,
        step: new.step,
        call_id: new.call_id,
        event_id: new.event_id,
        sink: new.sink.clone(),
        attempt: 1,
        claims: 1,
        snoozes: 0,
        created_at: "2026-11-20T09:00:00Z".parse().unwrap(),
        traceparent: None,
    }
}
