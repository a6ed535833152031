//! A call: as a line of the list, and with all that is known of it.

use chrono::{DateTime, Utc};
use serde::Serialize;
use shared::{
    db::{
        console::{self, CallLine, DeliveryLine, EventLine, JobLine},
        reports,
        spending::{self, Sum},
    },
    domain::{
        Agent, Call, CallId, CallKey, CallStatus, Conclusion, Contact, Direction, Feedback, Phone, ProviderId,
        Recording, Report, Transcript, dollars,
    },
    service::App,
};
use utoipa::ToSchema;

use super::{CostLine, playback};

/// A call, without what only we may know: where the provider keeps the recording.
#[derive(Debug, Serialize, ToSchema)]
pub struct CallView {
    id: CallId,
    #[schema(example = "cloudtalk")]
    provider: ProviderId,
    /// Which of the provider's accounts.
    #[schema(example = "default")]
    account: String,
    /// The provider's own id, which links and notes show.
    #[schema(example = "1042600731")]
    provider_call_id: Option<String>,
    /// All names under which the provider knows it.
    keys: Vec<CallKey>,
    status: Option<CallStatus>,
    direction: Option<Direction>,
    /// The other party's number.
    external_phone: Option<Phone>,
    /// Our number.
    internal_phone: Option<Phone>,
    agent: Agent,
    contact: Contact,
    campaign: Option<String>,
    started_at: Option<DateTime<Utc>>,
    ended_at: Option<DateTime<Utc>>,
    /// Talking time, as the provider says.
    duration_seconds: Option<f64>,
    /// The call left a message on a machine.
    voicemail: bool,
    /// Why the provider has no recording of it, in its words.
    recording_absence: Option<String>,
    /// How our work on it ended; null while it goes on, or after a failure.
    conclusion: Option<Conclusion>,
    /// When its first event was accepted.
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
            recording_absence: facts.recording_absence,
            conclusion,
            created_at,
        }
    }
}

/// A line of the list.
#[derive(Debug, Serialize, ToSchema)]
pub struct CallRow {
    #[serde(flatten)]
    call: CallView,
    /// Whether the recording is stored.
    recorded: bool,
    /// Plays the recording, wherever it came from; null until it is stored.
    recording_url: Option<String>,
    /// How many of its jobs failed for good.
    dead_jobs: i64,
}

impl CallRow {
    /// With its playback URL.
    pub async fn load(app: &App, line: CallLine) -> Self {
        let CallLine { call, object_key, dead_jobs } = line;
        let recording_url = playback::url(app, &call, object_key.as_deref()).await;
        Self { call: call.into(), recorded: object_key.is_some(), recording_url, dead_jobs }
    }
}

/// A page of the list, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct CallPage {
    calls: Vec<CallRow>,
    /// To be sent as `cursor` for the next page; null on the last one.
    next_cursor: Option<String>,
}

impl CallPage {
    /// A page of at most `limit` calls; `lines` holds one more where there is another page.
    pub async fn load(app: &App, mut lines: Vec<CallLine>, limit: usize) -> Self {
        let more = lines.len() > limit;
        lines.truncate(limit);
        let next_cursor = lines.last().filter(|_| more).map(|line| line.cursor().to_string());
        let mut calls = Vec::with_capacity(lines.len());
        for line in lines {
            calls.push(CallRow::load(app, line).await);
        }
        Self { calls, next_cursor }
    }
}

/// All that is known of a call.
#[derive(Debug, Serialize, ToSchema)]
pub struct CallDetail {
    call: CallView,
    /// Plays the recording, wherever it came from; null until it is stored.
    recording_url: Option<String>,
    recording: Option<RecordingView>,
    transcript: Option<Transcript>,
    feedback: Option<Feedback>,
    /// US dollars that were paid for it, where all prices are known.
    cost: Option<f64>,
    /// What was paid, by day, step and model.
    costs: Vec<CostLine>,
    /// The webhooks that told of it, oldest first.
    events: Vec<EventLine>,
    /// Its steps, in the order in which they became due.
    jobs: Vec<JobLine>,
    /// What sinks hold of it.
    deliveries: Vec<DeliveryLine>,
}

impl CallDetail {
    /// Reads all that is known of a call.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn load(app: &App, call: Call) -> sqlx::Result<Self> {
        let id = call.id;
        let family = shared::db::calls::family(&app.db, call.id).await?;
        let report = reports::load(&app.db, call, &family, None).await?;
        let events = console::events(&app.db, id).await?;
        let jobs = console::jobs(&app.db, id).await?;
        let deliveries = console::deliveries(&app.db, id).await?;
        let sums = spending::of(&app.db, id).await?;
        let Report { call, recording, transcript, feedback, .. } = report;
        let key = recording.as_ref().map(|recording| recording.object_key.as_str());
        Ok(Self {
            recording_url: playback::url(app, &call, key).await,
            call: call.into(),
            recording: recording.map(RecordingView::from),
            transcript,
            feedback,
            cost: sums.iter().map(Sum::cost).sum::<Option<_>>().map(dollars),
            costs: sums.into_iter().map(CostLine::from).collect(),
            events,
            jobs,
            deliveries,
        })
    }
}

/// A stored recording.
#[derive(Debug, Serialize, ToSchema)]
pub struct RecordingView {
    size_bytes: i64,
    /// Of the bytes, in lower-case hex.
    sha256: String,
    /// As decoded.
    duration_seconds: f64,
    channels: i32,
    /// Samples per second.
    sample_rate: i32,
    /// `wav`, `mp3`, `ogg`, `flac` or `m4a`.
    #[schema(example = "wav")]
    format: String,
    #[schema(example = "audio/wav")]
    content_type: &'static str,
    stored_at: DateTime<Utc>,
}

impl From<Recording> for RecordingView {
    fn from(recording: Recording) -> Self {
        let content_type = recording.content_type();
        let Recording { size_bytes, sha256, duration_seconds, channels, sample_rate, format, stored_at, .. } =
            recording;
        Self { size_bytes, sha256, duration_seconds, channels, sample_rate, format, content_type, stored_at }
    }
}
