//! One conversation, in the words of the API.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::{recordings::RecordingFile, samples::Sample};

pub(super) struct Conversation {
    pub(super) id: String,
    pub(super) call_sid: String,
    pub(super) agent_id: String,
    pub(super) chat_id: Option<String>,
    pub(super) outbound: bool,
    /// The other party's, E.164.
    pub(super) phone: String,
    pub(super) status: &'static str,
    /// Whether the agent is set to keep audio.
    pub(super) keeps_audio: bool,
    pub(super) not_ready_times: u32,
    pub(super) served: u64,
    pub(super) started_at: DateTime<Utc>,
    pub(super) sample: &'static Sample,
}

impl Conversation {
    /// A finished one of this sample.
    pub(super) fn new(number: u64, sample: &'static Sample) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "samples last seconds")]
        let length = chrono::TimeDelta::seconds(sample.duration.ceil() as i64);
        Self {
            id: format!("conv_{number:04}"),
            // No number of these is one of Twilio's own calls.
            call_sid: format!("CAe1{number:030x}"),
            agent_id: format!("agent_{}", sample.agent.id),
            chat_id: None,
            outbound: sample.direction == "outgoing",
            phone: sample.contact.phone.clone(),
            status: "done",
            keeps_audio: true,
            not_ready_times: 0,
            served: 0,
            started_at: Utc::now() - length,
            sample,
        }
    }

    pub(super) fn has_audio(&self) -> bool {
        self.status == "done" && self.keeps_audio
    }

    pub(super) fn audio(&self) -> RecordingFile {
        RecordingFile::Bytes(self.sample.mono_wav())
    }

    fn seconds(&self) -> f64 {
        if self.status == "done" { self.sample.duration.ceil() } else { 0.0 }
    }

    fn direction(&self) -> &'static str {
        if self.outbound { "outbound" } else { "inbound" }
    }

    pub(super) fn row(&self) -> Value {
        json!({
            "agent_id": self.agent_id, "agent_name": self.sample.agent.name, "conversation_id": self.id,
            "start_time_unix_secs": self.started_at.timestamp(), "call_duration_secs": self.seconds(),
            "message_count": self.sample.turns.len(), "status": self.status, "call_successful": "success",
            "transcript_summary": null, "direction": self.direction(),
        })
    }

    /// All of it; also the `data` of its webhook.
    pub(super) fn whole(&self) -> Value {
        let (ours, theirs) = (&self.sample.internal_number, &self.phone);
        let (from, to) = if self.outbound { (ours, theirs) } else { (theirs, ours) };
        let mut variables = json!({
            "system__call_sid": self.call_sid, "system__called_number": to, "system__caller_id": from,
            "system__conversation_id": self.id, "system__agent_id": self.agent_id,
        });
        if let Some(chat) = &self.chat_id {
            variables["chat_id"] = chat.as_str().into();
        }
        let metadata = json!({
            "start_time_unix_secs": self.started_at.timestamp(), "call_duration_secs": self.seconds(), "cost": 296,
            "phone_call": {
                "type": "twilio", "direction": self.direction(), "phone_number_id": "phnum_1", "agent_number": ours,
                "external_number": theirs, "stream_sid": "MZ0", "call_sid": self.call_sid,
            },
            "termination_reason": "", "error": null, "main_language": "en", "text_only": false,
            "conversation_initiation_source": "twilio",
        });
        let transcript: Vec<Value> = if self.status == "done" { self.transcript() } else { Vec::new() };
        json!({
            "agent_id": self.agent_id, "agent_name": self.sample.agent.name, "conversation_id": self.id,
            "status": self.status, "user_id": null, "has_audio": self.has_audio(), "has_user_audio": self.has_audio(),
            "has_response_audio": self.has_audio(), "transcript": transcript, "metadata": metadata,
            "analysis": {
                "call_successful": "success", "transcript_summary": self.sample.title,
                "data_collection_results": {"topic": {
                    "data_collection_id": "topic", "value": self.sample.name, "rationale": "It was said at the beginning.",
                }},
                "evaluation_criteria_results": {
                    "polite": {"criteria_id": "polite", "result": "success", "rationale": "The caller was thanked."},
                },
            },
            "conversation_initiation_client_data": {"dynamic_variables": variables},
        })
    }

    fn transcript(&self) -> Vec<Value> {
        let role = |channel: usize| if channel == 0 { "user" } else { "agent" };
        let turn = |turn: &crate::samples::Turn| {
            json!({
                "role": role(turn.channel), "message": turn.text, "tool_calls": [], "tool_results": [],
                "feedback": null, "time_in_call_secs": turn.start.floor(), "interrupted": false,
            })
        };
        self.sample.turns.iter().map(turn).collect()
    }
}
