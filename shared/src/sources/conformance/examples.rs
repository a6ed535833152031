//! What providers send: one call of each.

use super::{
    Example,
    signing::{self, PUBLIC_KEY, SECRET, pairs, same_form},
};
use crate::domain::{CallFacts, CallKey};

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";
/// Nobody listens there.
const NOWHERE: &str = "http://127.0.0.1:9";

/// One of each of their ways.
pub(super) fn providers() -> [Example; 7] {
    [cloudtalk(), twilio(), signalwire(), telnyx(), elevenlabs(), generic(), generic_signed()]
}

fn cloudtalk() -> Example {
    let ended = "/api/cloudtalk-webhooks/call-ended";
    Example {
        source: "cloudtalk",
        way: "showing a secret",
        settings: pairs(&[("CLOUDTALK_WEBHOOK_SECRET", SECRET), ("CLOUDTALK_BASE_URL", NOWHERE)]),
        secrets: &["CLOUDTALK_WEBHOOK_SECRET"],
        keys: &[],
        content_type: JSON,
        events: &[
            (
                "/api/cloudtalk-webhooks/call-started",
                r#"{"call_uuid":"7be10c52-41d0-4f6e-9a3c-5d2f80c1a9e4","external_number":390612000451,"direction":"outgoing","agent_id":7}"#,
            ),
            (
                "/api/cloudtalk-webhooks/call-ended",
                r#"{"call_id":1042600731,"call_uuid":"7be10c52-41d0-4f6e-9a3c-5d2f80c1a9e4","external_number":390612000451,"call_status":"answered","talking_time":95}"#,
            ),
            (
                "/api/cloudtalk-webhooks/recording-available",
                r#"{"call_id":1042600731,"recording_url":"https://my.cloudtalk.io/pub/r/MTA0MjYwMDczMQ%3D%3D/YQ%3D%3D.wav","external_number":390612000451}"#,
            ),
        ],
        changes: &[
            ("/api/cloudtalk-webhooks/contact-updated", r#"{"contact_id":1450000001,"contact_name":"Mario Rossi"}"#),
            ("/api/cloudtalk-webhooks/new-tag", r#"{"contact_id":1450000001,"tag_name":"VIP"}"#),
            ("/api/cloudtalk-webhooks/new-note", r#"{"contact_id":1450000001,"note":"Call back"}"#),
        ],
        unknown: Some((ended, r#"{"action":"agent_status_changed","agent_id":1}"#)),
        signs_bodies: false,
        is_same: |a, b| a == b,
        sign: signing::shown,
        spelled: signing::scheme_in_any_case,
        vendor: Some(|url| {
            (vec![("CLOUDTALK_BASE_URL", url.into()), ("CLOUDTALK_API_KEY", "id:secret".into())], known("id", "1"))
        }),
    }
}

const RECORDING: &str = "/webhooks/twilio-recording";

fn twilio() -> Example {
    Example {
        source: "twilio",
        way: "signed",
        settings: pairs(&[
            ("TWILIO_ACCOUNT_SID", "AC00000000000000000000000000000001"),
            ("TWILIO_AUTH_TOKEN", SECRET),
            ("TWILIO_BASE_URL", NOWHERE),
        ]),
        secrets: &["TWILIO_AUTH_TOKEN"],
        keys: &[],
        content_type: FORM,
        events: &[
            (
                RECORDING,
                "AccountSid=AC00000000000000000000000000000001&CallSid=CA1&RecordingSid=RE1&RecordingStatus=in-progress",
            ),
            (
                RECORDING,
                "AccountSid=AC00000000000000000000000000000001&CallSid=CA1&CallStatus=completed&Direction=inbound&From=%2B393501234567&To=%2B390612000451&CallDuration=61",
            ),
            (
                RECORDING,
                "AccountSid=AC00000000000000000000000000000001&CallSid=CA1&RecordingSid=RE1&RecordingStatus=completed&RecordingDuration=60&RecordingStartTime=Thu%2C+09+Oct+2025+08%3A53%3A20+%2B0000",
            ),
        ],
        changes: &[],
        unknown: Some((RECORDING, "AccountSid=AC00000000000000000000000000000001&SomethingNew=1")),
        signs_bodies: true,
        is_same: same_form,
        sign: signing::twilio,
        spelled: str::to_owned,
        vendor: Some(|url| (vec![("TWILIO_BASE_URL", url.into())], known("recording_sid", "RE1"))),
    }
}

const SIGNALWIRE: &str = "/webhooks/signalwire-recording";

fn signalwire() -> Example {
    Example {
        source: "signalwire",
        way: "signed",
        settings: pairs(&[
            ("SIGNALWIRE_PROJECT_ID", "b3877c40-da60-4998-90ad-b792e98472af"),
            ("SIGNALWIRE_API_TOKEN", "PT1"),
            ("SIGNALWIRE_SIGNING_KEY", SECRET),
            ("SIGNALWIRE_BASE_URL", NOWHERE),
        ]),
        secrets: &["SIGNALWIRE_SIGNING_KEY"],
        keys: &[],
        content_type: FORM,
        events: &[
            (
                SIGNALWIRE,
                "AccountSid=b3877c40-da60-4998-90ad-b792e98472af&CallSid=43bb71ee&CallStatus=completed&Direction=inbound&From=%2B393501234567&To=%2B390612000451&CallDuration=61",
            ),
            (
                SIGNALWIRE,
                "AccountSid=b3877c40-da60-4998-90ad-b792e98472af&CallSid=43bb71ee&RecordingSid=19e436af&RecordingStatus=completed&RecordingDuration=42",
            ),
        ],
        changes: &[],
        unknown: Some((SIGNALWIRE, "AccountSid=b3877c40-da60-4998-90ad-b792e98472af&SomethingNew=1")),
        signs_bodies: true,
        is_same: same_form,
        sign: signing::signalwire,
        spelled: str::to_owned,
        vendor: Some(|url| (vec![("SIGNALWIRE_BASE_URL", url.into())], known("recording_sid", "RE1"))),
    }
}

const TELNYX: &str = "/webhooks/telnyx-recording";

fn telnyx() -> Example {
    Example {
        source: "telnyx",
        way: "signed",
        settings: pairs(&[
            ("TELNYX_ACCOUNT_SID", "cb6cfbbc-eb00-41af-a3f3-0d7b32009e4b"),
            ("TELNYX_API_KEY", "KEY1"),
            ("TELNYX_PUBLIC_KEY", PUBLIC_KEY),
            ("TELNYX_BASE_URL", NOWHERE),
        ]),
        secrets: &["TELNYX_PUBLIC_KEY"],
        keys: &[],
        content_type: FORM,
        events: &[
            (
                TELNYX,
                "AccountSid=cb6cfbbc-eb00-41af-a3f3-0d7b32009e4b&CallSid=v3%3A9X2v&CallStatus=completed&CallDuration=45&From=%2B393501234567&To=%2B390612000451",
            ),
            (
                TELNYX,
                "AccountSid=cb6cfbbc-eb00-41af-a3f3-0d7b32009e4b&CallSid=v3%3A9X2v&RecordingSid=35094891-3290&RecordingStatus=completed&RecordingDuration=5",
            ),
        ],
        changes: &[],
        unknown: Some((TELNYX, "AccountSid=cb6cfbbc-eb00-41af-a3f3-0d7b32009e4b&SomethingNew=1")),
        signs_bodies: true,
        is_same: |a, b| a == b,
        sign: signing::telnyx,
        spelled: str::to_owned,
        vendor: Some(|url| (vec![("TELNYX_BASE_URL", url.into())], known("recording_sid", "RE1"))),
    }
}

const POST_CALL: &str = "/webhooks/elevenlabs-post-call";

fn elevenlabs() -> Example {
    Example {
        source: "elevenlabs",
        way: "signed",
        settings: pairs(&[
            ("ELEVENLABS_WEBHOOK_SECRET", SECRET),
            ("ELEVENLABS_API_KEY", "key"),
            ("ELEVENLABS_BASE_URL", NOWHERE),
        ]),
        secrets: &["ELEVENLABS_WEBHOOK_SECRET"],
        keys: &[],
        content_type: JSON,
        events: &[
            (
                POST_CALL,
                r#"{"type":"post_call_transcription","event_timestamp":1760000100,"data":{"agent_id":"agent_1","conversation_id":"conv_1","status":"done","has_audio":true,"transcript":[],"metadata":{"start_time_unix_secs":1760000000,"call_duration_secs":42,"phone_call":{"type":"twilio","direction":"outbound","agent_number":"+15550000001","external_number":"+15550000002","call_sid":"CA1"}}}}"#,
            ),
            (
                POST_CALL,
                r#"{"type":"post_call_audio","event_timestamp":1760000119,"data":{"agent_id":"agent_1","conversation_id":"conv_1","full_audio":""}}"#,
            ),
        ],
        changes: &[],
        unknown: Some((POST_CALL, r#"{"type":"voice_removed","event_timestamp":1760000119,"data":{}}"#)),
        signs_bodies: true,
        is_same: |a, b| a == b,
        sign: signing::elevenlabs,
        spelled: str::to_lowercase,
        vendor: Some(|url| (vec![("ELEVENLABS_BASE_URL", url.into())], known("id", "conv_1"))),
    }
}

const GENERIC: &str = "/webhooks/generic";

fn generic() -> Example {
    Example {
        source: "generic",
        way: "showing a secret",
        settings: pairs(&[("GENERIC_WEBHOOK_SECRET", SECRET), ("GENERIC_RECORDING_HOSTS", "media.example.test")]),
        secrets: &["GENERIC_WEBHOOK_SECRET"],
        keys: &[],
        content_type: JSON,
        events: &[
            (
                GENERIC,
                r#"{"event":"call.started","data":{"call":{"id":"c-1","direction":"inbound","from":"+393501234567","to":"+390612000451"}}}"#,
            ),
            (
                GENERIC,
                r#"{"event":"call.ended","data":{"call":{"id":"c-1","status":"answered","duration":61,"agent":{"name":"Rita"}}}}"#,
            ),
            (
                GENERIC,
                r#"{"event":"recording.ready","call_id":"c-1","recording":{"url":"https://media.example.test/c-1.mp3"}}"#,
            ),
        ],
        changes: &[],
        unknown: Some((GENERIC, r#"{"event":"agent.typing","agent":7}"#)),
        signs_bodies: false,
        is_same: |a, b| a == b,
        sign: signing::shown,
        spelled: signing::scheme_in_any_case,
        vendor: Some(|url| {
            let facts = CallFacts { recording_url: Some(format!("{url}/a.wav")), ..CallFacts::default() };
            (vec![("GENERIC_RECORDING_HOSTS", url.trim_start_matches("http://").into())], facts)
        }),
    }
}

fn generic_signed() -> Example {
    Example {
        way: "signed",
        settings: [generic().settings, pairs(&[("GENERIC_SIGNATURE_HEADER", "x-signature")])].concat(),
        signs_bodies: true,
        sign: signing::generic,
        spelled: str::to_owned,
        ..generic()
    }
}

/// A call that is known by this.
fn known(kind: &str, value: &str) -> CallFacts {
    let key = CallKey { kind: kind.to_owned(), value: value.to_owned() };
    CallFacts { provider_call_id: Some(value.to_owned()), keys: vec![key], ..CallFacts::default() }
}
