//! Places a call: makes its recording available and posts the webhooks, as an exchange does.

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    cloudtalk::{Call, digits},
    recordings::{Recording, RecordingFile},
    samples::{self, Sample},
    world::World,
};

/// How the provider tells of the call and its recording. Twilio has one callback where CloudTalk has two webhooks: both of
/// the first two are that one; what is absent it says, and of a missed call it says nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallMode {
    /// The recording's link comes with call-ended.
    #[default]
    EndedWithUrl,
    /// Call-ended comes without the link, then recording-available brings it.
    EndedThenRecording,
    /// No link at all: the REST API has the recording, after `not_ready_times` times 404.
    ApiFallback,
    /// Nobody answers.
    Missed,
    /// The call is answered, but not recorded.
    NotRecorded,
}

/// A call to be placed. [`PlaceCall::new`] fills in what is usual.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlaceCall {
    /// Origin of the service under test; where empty, CloudTalk and ElevenLabs send it nothing.
    pub webhook_base: String,
    /// Sent as `Authorization: Bearer …`; empty sends no header. Twilio's callbacks and ElevenLabs'
    /// webhooks are signed with it.
    #[serde(default)]
    pub secret: String,
    /// Name of the sample call.
    #[serde(default = "first_sample")]
    pub sample: String,
    /// Whose call it is: `cloudtalk`, `twilio`, `elevenlabs` or `generic`.
    #[serde(default = "cloudtalk")]
    pub provider: String,
    /// CloudTalk's id, the last digits of Twilio's; counts up by itself.
    #[serde(default)]
    pub call_id: Option<u64>,
    /// How the recording is announced.
    #[serde(default)]
    pub mode: CallMode,
    /// How often the recording is answered with 404 first.
    #[serde(default)]
    pub not_ready_times: u32,
    /// Serves both voices mixed into one channel, as CloudTalk really does, in place of one channel each.
    #[serde(default)]
    pub mono: bool,
    /// How often each webhook is posted again.
    #[serde(default)]
    pub duplicates: u32,
    /// CloudTalk's webhooks name the call by its UUID alone, as some workflows do.
    #[serde(default)]
    pub uuid_only: bool,
    /// Another contact's phone in place of the sample's, E.164.
    #[serde(default)]
    pub contact_phone: Option<String>,
    /// Another contact's name in place of the sample's.
    #[serde(default)]
    pub contact_name: Option<String>,
}

fn first_sample() -> String {
    "billing".into()
}

fn cloudtalk() -> String {
    "cloudtalk".into()
}

impl PlaceCall {
    /// The call of this sample, its recording's link in call-ended.
    #[must_use]
    pub fn new(webhook_base: impl Into<String>, secret: impl Into<String>, sample: impl Into<String>) -> Self {
        Self {
            webhook_base: webhook_base.into(),
            secret: secret.into(),
            sample: sample.into(),
            provider: cloudtalk(),
            call_id: None,
            mode: CallMode::default(),
            not_ready_times: 0,
            mono: false,
            duplicates: 0,
            uuid_only: false,
            contact_phone: None,
            contact_name: None,
        }
    }

    /// Announced in this way.
    #[must_use]
    pub fn mode(mut self, mode: CallMode) -> Self {
        self.mode = mode;
        self
    }

    /// Of this provider.
    #[must_use]
    pub fn provider(mut self, provider: impl Into<String>) -> Self {
        self.provider = provider.into();
        self
    }

    /// Under this id.
    #[must_use]
    pub fn call_id(mut self, call_id: u64) -> Self {
        self.call_id = Some(call_id);
        self
    }
}

/// A call that was placed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PlacedCall {
    /// CloudTalk's id.
    pub call_id: u64,
    /// CloudTalk's other id; of a Twilio call its SID, of ElevenLabs' the conversation's id.
    pub call_uuid: String,
    /// The public link of the recording, whether it was sent or not.
    pub recording_url: Option<String>,
    /// What the service answered, webhook by webhook.
    pub answers: Vec<WebhookAnswer>,
}

/// The answer to one webhook.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WebhookAnswer {
    /// The last segment of its route.
    pub event: String,
    /// HTTP status; 0 when there was no answer.
    pub status: u16,
    /// The body, or what kept it from coming.
    pub body: String,
}

pub(crate) async fn place(world: &World, order: PlaceCall) -> anyhow::Result<PlacedCall> {
    if !matches!(order.provider.as_str(), "cloudtalk" | "twilio" | "elevenlabs" | "generic") {
        bail!("only cloudtalk, twilio, elevenlabs and generic place calls here, not {}", order.provider);
    }
    let sample = samples::named(&order.sample).with_context(|| {
        let names: Vec<_> = samples::all().iter().map(|sample| sample.name.as_str()).collect();
        format!("no sample call {:?}, only {}", order.sample, names.join(", "))
    })?;
    if order.provider == "twilio" {
        return Ok(crate::twilio::place(world, &order, sample).await);
    }
    if order.provider == "elevenlabs" {
        return Ok(crate::elevenlabs::place(world, &order, sample).await);
    }
    if order.provider == "generic" {
        return Ok(crate::generic::place(world, &order, sample).await);
    }
    let call = call(world, sample, &order)?;
    let recording_url = call.recorded.then(|| {
        let audio = if order.mono { sample.mono_wav() } else { sample.wav.clone() };
        let recording = Recording { not_ready_times: order.not_ready_times, ..RecordingFile::Bytes(audio).into() };
        format!("{}{}", world.origin, world.cloudtalk.add_recording(call.id, recording))
    });
    let webhooks = webhooks(&call, order.mode, recording_url.as_deref());
    let (call_id, call_uuid) = (call.id, call.uuid.clone());
    world.cloudtalk.add_call(call);
    let mut answers = Vec::new();
    let told = webhooks.into_iter().filter(|_| !order.webhook_base.is_empty());
    for (event, mut body) in told {
        if order.uuid_only {
            body["call_id"].take();
        }
        for _ in 0..=order.duplicates {
            answers.push(post(world, &order, event, &body).await);
        }
    }
    Ok(PlacedCall { call_id, call_uuid, recording_url, answers })
}

fn call(world: &World, sample: &Sample, order: &PlaceCall) -> anyhow::Result<Call> {
    let answered = order.mode != CallMode::Missed;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "samples last seconds")]
    let talking = if answered { sample.duration.ceil() as u64 } else { 0 };
    let phone = order.contact_phone.as_deref().unwrap_or(&sample.contact.phone);
    Ok(Call {
        id: order.call_id.unwrap_or_else(|| world.cloudtalk.next_call_id()),
        uuid: uuid::Uuid::now_v7().to_string(),
        incoming: sample.direction == "incoming",
        contact_id: sample.contact.id,
        contact_name: order.contact_name.clone().unwrap_or_else(|| sample.contact.name.clone()),
        contact_phone: digits(phone).context("contact_phone has no digits")?,
        internal_phone: digits(&sample.internal_number).context("the sample's own number has no digits")?,
        agent_id: sample.agent.id,
        agent_name: sample.agent.name.clone(),
        campaign: sample.campaign.clone(),
        answered,
        recorded: answered && order.mode != CallMode::NotRecorded,
        talking,
        waiting: 4,
        started_at: chrono::Utc::now() - std::time::Duration::from_secs(talking + 4),
    })
}

/// The webhooks in their order, keys as a careful administrator would template them.
fn webhooks(call: &Call, mode: CallMode, url: Option<&str>) -> Vec<(&'static str, Value)> {
    let started = json!({
        "call_id": call.id, "call_uuid": call.uuid, "direction": call.kind(), "external_number": call.contact_phone,
        "internal_number": call.internal_phone, "contact_id": call.contact_id, "contact_name": call.contact_name,
        "agent_id": call.agent_id, "agent_name": call.agent_name, "campaign": call.campaign,
        "started_at": call.started_at.to_rfc3339(),
    });
    let mut ended = started.clone();
    ended["call_status"] = if call.answered { "answered" } else { "missed" }.into();
    ended["talking_time"] = call.talking.into();
    ended["waiting_time"] = call.waiting.into();
    ended["wrapup_time"] = 10.into();
    ended["recording"] = call.recorded.into();
    if mode == CallMode::EndedWithUrl {
        ended["recording_url"] = url.into();
    }
    let mut webhooks = vec![("call-started", started), ("call-ended", ended)];
    if mode == CallMode::EndedThenRecording {
        let available = json!({
            "call_id": call.id, "recording_url": url, "internal_number": call.internal_phone,
            "external_number": call.contact_phone,
        });
        webhooks.push(("recording-available", available));
    }
    webhooks
}

async fn post(world: &World, order: &PlaceCall, event: &str, body: &Value) -> WebhookAnswer {
    let url = format!("{}/api/cloudtalk-webhooks/{event}", order.webhook_base.trim_end_matches('/'));
    let mut request = world
        .http()
        .post(url)
        .header("user-agent", "cloudtalk-workflow-automation")
        .header("accept", "application/json, text/plain, */*")
        .json(body);
    if !order.secret.is_empty() {
        request = request.bearer_auth(&order.secret);
    }
    let (status, body) = match request.send().await {
        Ok(answer) => (answer.status().as_u16(), answer.text().await.unwrap_or_default()),
        Err(error) => (0, format!("no answer: {}", error.without_url())),
    };
    WebhookAnswer { event: event.to_owned(), status, body }
}
