//! What the notes say: one for the call, one for a recording that was announced after it. The words and their order are
//! those of the recording guide; [`super::feedback_note`] has the third kind.

use std::borrow::Cow;

use chrono::SecondsFormat;
use serde::Serialize;

use crate::domain::{Call, CallStatus, ProviderId, Report};

/// Begins the line that a note ends with.
const MARKER: &str = "Call ID: ";

/// The kinds of notes. A call has at most one of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum NoteKind {
    /// The call is over.
    Call,
    /// The recording became known after the call's note was written.
    Recording,
    /// Feedback and words.
    Feedback,
}

impl NoteKind {
    /// What a note of this kind begins with: `[CloudTalk] `, `[CloudTalk Recording] `, `[CloudTalk Feedback] `.
    pub fn prefix(self, provider: &ProviderId) -> String {
        let name = display_name(provider);
        match self {
            Self::Call => format!("[{name}] "),
            Self::Recording => format!("[{name} Recording] "),
            Self::Feedback => format!("[{name} Feedback] "),
        }
    }

    /// Whether `body` is this kind of note on this call. The CRM may have wrapped it in markup.
    pub fn is(self, call: &Call, body: &str) -> bool {
        let (id, body) = (call.display_id(), unescaped(body));
        let first = body.trim_start().lines().next().unwrap_or_default();
        let prefix = self.prefix(&call.provider);
        match self {
            Self::Recording => first.contains(&format!("{prefix}Call {id} recording available")),
            Self::Call | Self::Feedback => first.contains(&prefix) && ends_with_marker(&body, &id),
        }
    }
}

/// The note on a call that is over; with the link to its recording where there is one, or why that could not be had.
pub fn call_note(report: &Report, link: Option<&str>) -> String {
    let facts = &report.call.facts;
    let status = facts.status.unwrap_or(CallStatus::Completed).as_str();
    let agent = facts.agent.name.as_ref().or(facts.agent.email.as_ref());
    let details = [
        party(&report.call).map(|party| format!("Contact: {party}")),
        joined([duration(report).map(|d| format!("Duration: {d}")), Some(format!("Status: {status}"))]),
        joined([agent.map(|a| format!("Agent: {a}")), facts.direction.map(|d| format!("Direction: {}", d.as_str()))]),
    ];
    let details: Vec<_> = details.into_iter().flatten().collect();
    let mut note =
        format!("{}Call {status} - \n{}\n", NoteKind::Call.prefix(&report.call.provider), details.join(", \n"));
    if let Some(link) = link {
        note.push_str(&format!("📼 Recording: Available - 🔗 {link}\n"));
    } else if let Some(why) = report.missing_recording() {
        note.push_str(&format!("📼 Recording: Not available - {why}\n"));
    }
    if let Some(campaign) = &facts.campaign {
        note.push_str(&format!("Campaign: {campaign} \n"));
    }
    note.push_str(&marker(&report.call));
    note
}

/// The note on a recording that the call's note could not yet mention.
pub fn recording_note(report: &Report, link: &str) -> String {
    let call = &report.call;
    let length = duration(report).map(|d| format!(" ({d})")).unwrap_or_default();
    let agent = call.facts.agent.name.clone();
    let details = joined([agent, duration(report)]).map(|d| format!("{d} - ")).unwrap_or_default();
    format!(
        "{}Call {} recording available\n📼 Recording: Available{length}\n🔗 Listen: {link}\nCall Details: {details}{}",
        NoteKind::Recording.prefix(&call.provider),
        call.display_id(),
        timestamp(call),
    )
}

/// The line that a note ends with and is found again by.
pub fn marker(call: &Call) -> String {
    format!("{MARKER}{} - {}", call.display_id(), timestamp(call))
}

/// When the call ended, else began, else became known: `2025-09-16T14:04:58Z`. Depends on nothing but the call, so that a
/// note written again reads the same.
pub fn timestamp(call: &Call) -> String {
    let at = call.facts.ended_at.or(call.facts.started_at).unwrap_or(call.created_at);
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// The provider's name as people write it.
pub(super) fn display_name(provider: &ProviderId) -> String {
    match provider.as_str() {
        "cloudtalk" => "CloudTalk".into(),
        "elevenlabs" => "ElevenLabs".into(),
        "signalwire" => "SignalWire".into(),
        "gohighlevel" => "GoHighLevel".into(),
        other => {
            let mut rest = other.chars();
            rest.next().map(|first| first.to_uppercase().chain(rest).collect()).unwrap_or_default()
        }
    }
}

/// `Mario Rossi (+393501234567)`, or as much of it as is known.
fn party(call: &Call) -> Option<String> {
    let phone = call.facts.external_phone.as_ref().map(ToString::to_string);
    match (&call.facts.contact.name, phone) {
        (Some(name), Some(phone)) => Some(format!("{name} ({phone})")),
        (name, phone) => name.clone().or(phone),
    }
}

/// `120s`.
fn duration(report: &Report) -> Option<String> {
    report.duration_seconds().map(|seconds| format!("{seconds:.0}s"))
}

fn joined(parts: [Option<String>; 2]) -> Option<String> {
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// Whether the last marker in a note is that of this call. What people are called stands before it, and may look like one.
fn ends_with_marker(body: &str, id: &str) -> bool {
    let last = body.rfind(MARKER).map(|at| &body[at + MARKER.len()..]);
    let after = last.and_then(|rest| rest.strip_prefix(id)?.strip_prefix(" - "));
    after.is_some_and(|time| time.starts_with(|c: char| c.is_ascii_digit()))
}

/// The CRM may have made markup of the text.
fn unescaped(body: &str) -> Cow<'_, str> {
    const ESCAPED: [(&str, &str); 5] = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")];
    match body.contains('&') {
        true => ESCAPED.iter().fold(body.to_owned(), |body, (escaped, char)| body.replace(escaped, char)).into(),
        false => body.into(),
    }
}

#[cfg(test)]
mod tests;
