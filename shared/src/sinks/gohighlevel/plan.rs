//! What each milestone of a call leaves in the CRM: a note, the contact's recording fields, tags. Decided from the report
//! alone; nothing here does I/O.

use serde::{Deserialize, Serialize};

use super::{
    call_log::LoggedCall,
    feedback_note::feedback_note,
    note::{NoteKind, call_note, recording_note, timestamp},
};
use crate::domain::{CallStatus, Direction, Milestone, Report};

/// What is to be there once a milestone is delivered. Equal plans need not be carried out twice.
#[derive(Debug, Default, PartialEq, Serialize)]
pub struct Plan {
    /// A note, by kind.
    pub note: Option<(NoteKind, String)>,
    /// Whether the call's note carries the link to the recording. Nothing, where it says that the recording is missing: should
    /// it come after all, that note is to say so.
    pub links: Option<bool>,
    /// The contact's custom fields.
    pub recording: Option<LastRecording>,
    /// Tags that the contact has in any case.
    pub tags: Vec<&'static str>,
    /// The call in the contact's conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call_log: Option<LoggedCall>,
}

impl Plan {
    /// Nothing to write.
    pub fn is_empty(&self) -> bool {
        self.note.is_none() && self.recording.is_none() && self.tags.is_empty() && self.call_log.is_none()
    }
}

/// The value of the field `cloudtalk_last_recording`, keys and order as the recording guide has them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LastRecording {
    /// The lasting link.
    pub recording_url: Option<String>,
    /// Always true: the field is written once the recording is stored.
    pub recording_available: bool,
    /// The provider's id of the call.
    pub call_id: String,
    /// Whole seconds.
    pub call_duration: Option<u64>,
    /// `wav`, `mp3`…, as decoded.
    pub recording_format: Option<String>,
    /// When the call was, not when the field was written: a call that is processed late must not pass for the last one.
    pub updated_at: String,
}

/// What earlier deliveries decided.
#[derive(Debug, Clone, Copy, Default)]
pub struct Before {
    /// Whether the call's note was written, and with the link.
    pub call_note_links: Option<bool>,
    /// Whether the separate note on the recording was written.
    pub recording_note: bool,
    /// Whether this milestone may log the call: that is switched on, and no other milestone did.
    pub log_call: bool,
}

/// What `milestone` is to leave behind.
pub fn plan(report: &Report, milestone: Milestone, before: Before) -> Plan {
    match milestone {
        Milestone::Started => Plan::default(),
        Milestone::Ended => ended(report, before),
        Milestone::Recorded => recorded(report, before),
        Milestone::Analyzed => {
            Plan { note: feedback_note(report).map(|note| (NoteKind::Feedback, note)), ..Plan::default() }
        }
    }
}

/// A call's note that was written without the link stays without: the recording then has a note of its own, which people
/// see as news. One that says that the recording is missing is mended in place. Tags and the
/// call in the conversation wait for the recording while one is expected: automations start on the tags and use the fields.
fn ended(report: &Report, before: Before) -> Plan {
    let link = report.recording_link.as_deref().filter(|_| before.call_note_links != Some(false));
    let missing = link.is_none() && report.missing_recording().is_some();
    let expected = report.recording_link.is_some() && report.call.conclusion.is_none();
    let waits = expected || report.recording.is_some();
    Plan {
        note: Some((NoteKind::Call, call_note(report, link))),
        links: (!missing).then_some(link.is_some()),
        recording: None,
        tags: if waits { Vec::new() } else { call_tags(report) },
        call_log: if waits || !before.log_call { None } else { LoggedCall::of(report) },
    }
}

fn recorded(report: &Report, before: Before) -> Plan {
    // Without a call note there may come one that carries the link, until our work on the call is finished.
    let unmentioned = match before.call_note_links {
        Some(links) => !links,
        None => report.call.conclusion.is_some(),
    };
    let link = report.recording_link.as_deref().filter(|_| unmentioned || before.recording_note);
    let mut tags = call_tags(report);
    tags.push("CT-RecordingAvailable");
    if report.call.facts.recording_announced {
        tags.push("CT-RecordingReady");
    }
    Plan {
        note: link.map(|link| (NoteKind::Recording, recording_note(report, link))),
        links: Some(false),
        recording: Some(last_recording(report)),
        tags,
        call_log: if before.log_call { LoggedCall::of(report) } else { None },
    }
}

fn last_recording(report: &Report) -> LastRecording {
    let format = report.recording.as_ref().map(|r| r.format.clone());
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a call lasts less than 2^63 seconds")]
    let whole = |seconds: f64| seconds.round().max(0.0) as u64;
    LastRecording {
        recording_url: report.recording_link.clone(),
        recording_available: true,
        call_id: report.call.display_id(),
        call_duration: report.duration_seconds().map(whole),
        recording_format: format.or_else(|| report.call.facts.recording_format.clone()),
        updated_at: timestamp(&report.call),
    }
}

fn call_tags(report: &Report) -> Vec<&'static str> {
    let facts = &report.call.facts;
    let mut tags = Vec::new();
    if facts.status == Some(CallStatus::Completed) {
        tags.push("CT-CallCompleted");
    }
    tags.extend(facts.direction.map(|direction| match direction {
        Direction::Inbound => "CT-INBOUND",
        Direction::Outbound => "CT-OUTBOUND",
    }));
    match facts.status {
        Some(CallStatus::Completed) => tags.push("CT-COMPLETED"),
        Some(CallStatus::Missed | CallStatus::Failed) => tags.push("CT-FAILED"),
        Some(CallStatus::InProgress) | None => {}
    }
    tags
}

#[cfg(test)]
mod tests;
