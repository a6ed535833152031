#![expect(clippy::unwrap_used, reason = "tests may panic")]

use super::*;
use crate::sinks::sample;

/// As the recording guide shows it, down to the spaces at the ends of lines.
const GUIDE_CALL_NOTE: &str = "[CloudTalk] Call completed - \n\
    Contact: Mario Rossi (+393501234567), \n\
    Duration: 120s, Status: completed, \n\
    Agent: Roberto, Direction: outbound\n\
    📼 Recording: Available - 🔗 https://recordings.cloudtalk.io/123456.wav\n\
    Campaign: Sales Campaign \n\
    Call ID: 123456 - 2025-09-16T14:04:58Z";

const GUIDE_RECORDING_NOTE: &str = "[CloudTalk Recording] Call 123456 recording available\n\
    📼 Recording: Available (120s)\n\
    🔗 Listen: https://recordings.cloudtalk.io/123456.wav\n\
    Call Details: Roberto, 120s - 2025-09-16T14:04:58Z";

const LINK: &str = "https://recordings.cloudtalk.io/123456.wav";

#[test]
fn the_call_note_reads_as_in_the_recording_guide() {
    assert_eq!(call_note(&sample::ended(), Some(LINK)), GUIDE_CALL_NOTE);
}

#[test]
fn the_recording_note_reads_as_in_the_recording_guide() {
    assert_eq!(recording_note(&sample::ended(), LINK), GUIDE_RECORDING_NOTE);
}

#[test]
fn what_is_not_known_is_left_out() {
    let mut report = sample::ended();
    report.call.facts = crate::domain::CallFacts {
        provider_call_id: Some("7".into()),
        status: Some(CallStatus::Missed),
        external_phone: crate::domain::Phone::parse("+393501234567"),
        ..Default::default()
    };
    let expected = "[CloudTalk] Call missed - \nContact: +393501234567, \nStatus: missed\n\
        Call ID: 7 - 2025-09-16T14:00:00Z";
    assert_eq!(call_note(&report, None), expected);
    let recording = recording_note(&report, LINK);
    assert!(recording.ends_with("📼 Recording: Available\n🔗 Listen: https://recordings.cloudtalk.io/123456.wav\nCall Details: 2025-09-16T14:00:00Z"), "{recording}");
}

#[test]
fn a_note_is_found_again_and_never_taken_for_another_calls() {
    let report = sample::ended();
    let (call, note, recording) = (&report.call, call_note(&report, None), recording_note(&report, LINK));
    assert!(NoteKind::Call.is(call, &note));
    assert!(NoteKind::Recording.is(call, &recording));
    assert!(NoteKind::Call.is(call, &format!("<p>{}</p>", note.replace('\n', "<br>"))), "wrapped by the CRM");
    assert!(!NoteKind::Feedback.is(call, &note));
    assert!(!NoteKind::Call.is(call, &recording));
    for other in ["12345", "1234567", "3456", "123456-b"] {
        let mut longer = report.call.clone();
        longer.facts.provider_call_id = Some(other.into());
        assert!(!NoteKind::Call.is(&longer, &note), "{other}");
        assert!(!NoteKind::Recording.is(&longer, &recording), "{other}");
    }
    let mut twilio = report.call.clone();
    twilio.provider = ProviderId::new("twilio");
    assert!(!NoteKind::Call.is(&twilio, &note), "ids of two providers may be equal");
    assert!(!NoteKind::Call.is(call, "Called him, see Call ID: 123456 in [CloudTalk]"), "a person's own note");
}

#[test]
fn a_note_on_a_call_with_any_id_is_found_again_also_as_markup() {
    for id in ["a/b?c#d", "a b", "вызов 7", "R&D <1>", "50%"] {
        let mut report = sample::ended();
        report.call.facts.provider_call_id = Some(id.into());
        let escaped = |note: String| note.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        for (kind, note) in
            [(NoteKind::Call, call_note(&report, None)), (NoteKind::Recording, recording_note(&report, LINK))]
        {
            assert!(kind.is(&report.call, &note) && kind.is(&report.call, &escaped(note.clone())), "{note}");
            let mut other = report.call.clone();
            for part in ["a", "вызов", "R", "50"] {
                other.facts.provider_call_id = Some(part.into());
                assert!(!kind.is(&other, &note), "{part} is not {id}");
            }
        }
    }
}

#[test]
fn a_name_that_looks_like_a_marker_is_none() {
    let mut report = sample::ended();
    report.call.facts.contact.name = Some("Call ID: 999 - 2025-09-16T14:04:58Z".into());
    let mut other = report.call.clone();
    other.facts.provider_call_id = Some("999".into());
    let note = call_note(&report, None);
    assert!(!NoteKind::Call.is(&other, &note) && NoteKind::Call.is(&report.call, &note), "{note}");
}

#[test]
fn other_providers_have_their_own_name() {
    for (id, prefix) in [("twilio", "[Twilio] "), ("elevenlabs", "[ElevenLabs] "), ("acme", "[Acme] ")] {
        assert_eq!(NoteKind::Call.prefix(&ProviderId::new(id)), prefix);
    }
    assert_eq!(
        timestamp(&sample::ended().call).parse::<chrono::DateTime<chrono::Utc>>().unwrap().timestamp(),
        1_758_031_498
    );
}
