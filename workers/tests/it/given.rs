//! What a step finds: a call with some results.

use std::time::Duration;

use async_trait::async_trait;
use shared::{
    db::{
        self,
        settle::{End, Settlement},
    },
    domain::{
        Call, CallFacts, Delivery, EventId, EventKind, Feedback, Job, JobId, Milestone, NewEvent, NewJob, ProviderId,
        Recording, Report, SinkId, StepError, Transcript, Write,
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
    let (now, id, owner) = (app.clock.now(), EventId::new(), Uuid::now_v7());
    let event = NewEvent {
        provider: ProviderId::new("cloudtalk"),
        account: "default".into(),
        kind: EventKind::CallEnded,
        dedupe_key: id.to_string(),
        body: b"{}".to_vec(),
    };
    let incoming = db::events::Incoming { id, event, traceparent: None };
    db::events::record(&app.db, &[incoming], now, now).await.unwrap();
    let event = db::events::find(&app.db, id).await.unwrap().unwrap();

    let mut tx = app.db.begin().await.unwrap();
    let (call, _) = db::calls::tie(&mut tx, &event, &given.facts, now).await.unwrap();
    db::calls::save_facts(&mut tx, call, &given.facts, now).await.unwrap();
    tx.commit().await.unwrap();

    let mut writes = Vec::new();
    writes.extend(given.recording.map(|recording| Write::Recording(call, recording)));
    writes.extend(given.transcript.map(|transcript| Write::Transcript(call, transcript)));
    writes.extend(given.feedback.map(|feedback| Write::Feedback(call, feedback)));
    let lease = now + Duration::from_secs(60);
    let jobs = db::jobs::claim(&app.db, &[JobId(id.0)], owner, now, lease).await.unwrap();
    let job = jobs.into_iter().next().unwrap();
    let settlement = Settlement { job, end: End::Done { skipped: None }, writes, next: Vec::new() };
    db::settle::settle(&app.db, owner, &[settlement], now, now).await.unwrap();
    db::calls::find(&app.db, call).await.unwrap().unwrap()
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
