//! A call as a conversation: who said what, and the recording, without how we got there.

use chrono::{DateTime, Utc};
use serde::Serialize;
use shared::{
    db::reports,
    domain::{
        Agent, Call, CallId, CallStatus, Conclusion, Contact, Direction, Phone, ProviderId, Report, Sentiment, Turn,
    },
    service::App,
};
use utoipa::ToSchema;

use super::playback;

/// What was said in a call.
#[derive(Debug, Serialize, ToSchema)]
pub struct Conversation {
    /// The provider's name of it: ElevenLabs' conversation id, Twilio's call SID, …
    #[schema(example = "conv_7301kx")]
    conversation_id: String,
    call_id: CallId,
    /// The name that the call was started with, where it has one.
    chat_id: Option<String>,
    /// The carrier's name of the call, where it is known.
    call_sid: Option<String>,
    #[schema(example = "elevenlabs")]
    provider: ProviderId,
    status: Option<CallStatus>,
    direction: Option<Direction>,
    /// The other party's number.
    external_phone: Option<Phone>,
    agent: Agent,
    contact: Contact,
    started_at: Option<DateTime<Utc>>,
    ended_at: Option<DateTime<Utc>>,
    /// The provider's word, else the recording's length.
    duration_seconds: Option<f64>,
    /// Plays the recording, wherever it came from; null until it is stored.
    recording_url: Option<String>,
    /// Empty until it is transcribed.
    turns: Vec<Turn>,
    language: Option<String>,
    summary: Option<String>,
    sentiment: Option<Sentiment>,
    /// How our work on it ended; null while it goes on, or after a failure.
    conclusion: Option<Conclusion>,
}

impl Conversation {
    /// Reads what was said in a call.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn load(app: &App, call: Call) -> sqlx::Result<Self> {
        let family = shared::db::calls::family(&app.db, call.id).await?;
        let report = reports::load(&app.db, call, &family, None).await?;
        let key = report.recording.as_ref().map(|recording| recording.object_key.as_str());
        let (recording_url, duration_seconds) =
            (playback::url(app, &report.call, key).await, report.duration_seconds());
        let Report { call, transcript, feedback, .. } = report;
        let transcript = transcript.unwrap_or_default();
        let judged = feedback.map(|feedback| feedback.judged);
        let key = |kind: &str| call.facts.key(kind).map(str::to_owned);
        Ok(Self {
            conversation_id: call.display_id(),
            call_id: call.id,
            chat_id: key("chat_id"),
            call_sid: key("call_sid"),
            status: call.facts.status,
            direction: call.facts.direction,
            started_at: call.facts.started_at,
            ended_at: call.facts.ended_at,
            duration_seconds,
            recording_url,
            turns: transcript.turns,
            language: transcript.language,
            sentiment: judged.as_ref().and_then(|judged| judged.sentiment),
            summary: judged.map(|judged| judged.summary),
            conclusion: call.conclusion,
            provider: call.provider,
            external_phone: call.facts.external_phone,
            agent: call.facts.agent,
            contact: call.facts.contact,
        })
    }
}
