//! The JSON form of calls and failures, for the API and the command line.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};
use shared::{
    db::{
        console::{self, CallLine, DeadGroup, DeadJob, EventLine, JobLine},
        reports,
        spending::{self, Sum},
    },
    domain::{
        Agent, Call, CallId, CallKey, CallStatus, Conclusion, Contact, Direction, Feedback, Phone, ProviderId,
        Recording, Report, Transcript,
    },
    service::App,
};

/// How long a playback URL works that is not a lasting link.
const PLAYBACK: Duration = Duration::from_secs(3600);

/// A call, without what only we may know: where the provider keeps the recording.
#[derive(Debug, Serialize)]
pub struct CallView {
    id: CallId,
    provider: ProviderId,
    account: String,
    provider_call_id: Option<String>,
    keys: Vec<CallKey>,
    status: Option<CallStatus>,
    direction: Option<Direction>,
    external_phone: Option<Phone>,
    internal_phone: Option<Phone>,
    agent: Agent,
    contact: Contact,
    campaign: Option<String>,
    started_at: Option<DateTime<Utc>>,
    ended_at: Option<DateTime<Utc>>,
    duration_seconds: Option<f64>,
    voicemail: bool,
    conclusion: Option<Conclusion>,
    created_at: DateTime<Utc>,
}

impl From<Call> for CallView {
    fn from(call: Call) -> Self {
        let Call { id, provider, account, facts, conclusion, created_at } = call;
        Self {
            id,
            provider,
            account,
            provider_call_id: facts.provider_call_id,
            keys: facts.keys,
            status: facts.status,
            direction: facts.direction,
            external_phone: facts.external_phone,
            internal_phone: facts.internal_phone,
            agent: facts.agent,
            contact: facts.contact,
            campaign: facts.campaign,
            started_at: facts.started_at,
            ended_at: facts.ended_at,
            duration_seconds: facts.duration_seconds,
            voicemail: facts.voicemail,
            conclusion,
            created_at,
        }
    }
}

/// A line of the list.
#[derive(Debug, Serialize)]
pub struct CallRow {
    #[serde(flatten)]
    call: CallView,
    recorded: bool,
    dead_jobs: i64,
}

impl From<CallLine> for CallRow {
    fn from(line: CallLine) -> Self {
        Self { call: line.call.into(), recorded: line.recorded, dead_jobs: line.dead_jobs }
    }
}

/// A page of the list.
#[derive(Debug, Serialize)]
pub struct CallPage {
    calls: Vec<CallRow>,
    /// To be sent as `cursor` for the next page; absent on the last one.
    next_cursor: Option<String>,
}

impl CallPage {
    /// A page that was asked for with this limit.
    pub fn new(lines: Vec<CallLine>, limit: i64) -> Self {
        let full = i64::try_from(lines.len()).is_ok_and(|count| count == limit);
        let next_cursor = lines.last().filter(|_| full).map(|line| line.cursor().to_string());
        let row =
            |line: CallLine| CallRow { call: line.call.into(), recorded: line.recorded, dead_jobs: line.dead_jobs };
        Self { calls: lines.into_iter().map(row).collect(), next_cursor }
    }
}

/// All that is known of a call.
#[derive(Debug, Serialize)]
pub struct CallDetail {
    call: CallView,
    /// With its playback URL.
    recording: Option<Value>,
    transcript: Option<Transcript>,
    feedback: Option<Feedback>,
    /// US dollars that were paid for it, where all prices are known.
    cost: Option<f64>,
    /// What was paid, by day, step and model.
    costs: Vec<Value>,
    events: Vec<Value>,
    jobs: Vec<Value>,
    deliveries: Vec<Value>,
}

impl CallDetail {
    /// Reads all that is known of a call.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn load(app: &App, call: Call) -> sqlx::Result<Self> {
        let report = reports::load(&app.db, call.id, None).await?.ok_or(sqlx::Error::RowNotFound)?;
        let events = console::events(&app.db, call.id).await?;
        let jobs = console::jobs(&app.db, call.id).await?;
        let deliveries = console::deliveries(&app.db, call.id).await?;
        let sums = spending::of(&app.db, call.id).await?;
        let Report { call, recording, transcript, feedback, .. } = report;
        let recording = match recording {
            Some(recording) => Some(recording_view(app, &call, recording).await),
            None => None,
        };
        let delivery = |d: console::DeliveryLine| json!({"sink": d.sink, "milestone": d.milestone, "refs": d.refs, "delivered_at": d.delivered_at});
        Ok(Self {
            call: call.into(),
            recording,
            transcript,
            feedback,
            cost: sums.iter().map(Sum::dollars).sum(),
            costs: sums.iter().map(crate::costs::view).collect(),
            events: events.into_iter().map(event_view).collect(),
            jobs: jobs.into_iter().map(job_view).collect(),
            deliveries: deliveries.into_iter().map(delivery).collect(),
        })
    }
}

async fn recording_view(app: &App, call: &Call, recording: Recording) -> Value {
    let url = match app.links.link(call) {
        Some(link) => Some(link),
        // Without a public address of our own the store's must do; without either there is none.
        None => app.recordings.presign(&recording.object_key, PLAYBACK).await.ok().flatten(),
    };
    let mut view = json!({
        "recording_url": url, "size_bytes": recording.size_bytes, "sha256": recording.sha256,
        "duration_seconds": recording.duration_seconds, "channels": recording.channels,
    });
    view["sample_rate"] = recording.sample_rate.into();
    view["content_type"] = recording.content_type().into();
    view["format"] = recording.format.into();
    view["stored_at"] = json!(recording.stored_at);
    view
}

fn event_view(event: EventLine) -> Value {
    json!({"id": event.id, "kind": event.kind, "received_at": event.received_at})
}

fn job_view(job: JobLine) -> Value {
    let failures: Vec<_> = job
        .failures
        .iter()
        .map(|f| json!({"at": f.at, "verdict": f.verdict, "reason": f.reason, "error": f.error}))
        .collect();
    json!({
        "id": job.id, "step": job.step, "sink": job.sink, "state": job.state, "attempts": job.attempts,
        "reason": job.reason, "error": job.error, "created_at": job.created_at, "due_at": job.due_at,
        "started_at": job.started_at, "finished_at": job.finished_at, "failures": failures,
    })
}

/// What failed for good.
#[derive(Debug, Serialize)]
pub struct DeadPage {
    groups: Vec<Value>,
    jobs: Vec<Value>,
}

impl DeadPage {
    /// From what the database says.
    pub fn new(groups: Vec<DeadGroup>, jobs: Vec<DeadJob>) -> Self {
        let group = |g: DeadGroup| json!({"queue": g.queue, "reason": g.reason, "count": g.count, "oldest": g.oldest, "newest": g.newest});
        let job = |j: DeadJob| {
            json!({
                "id": j.id, "queue": j.queue, "call_id": j.call_id, "provider_call_id": j.provider_call_id,
                "reason": j.reason, "error": j.error, "attempts": j.attempts, "finished_at": j.finished_at,
            })
        };
        Self { groups: groups.into_iter().map(group).collect(), jobs: jobs.into_iter().map(job).collect() }
    }
}
