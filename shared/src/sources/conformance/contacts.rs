//! What sources send that no call comes from.

use super::{
    Example, Requests,
    signing::{self, PUBLIC_KEY, SECRET, pairs},
};

const LOCATION: (&str, &str) = ("GHL_LOCATION_ID", "LOC1");
/// What stands before the 32 bytes of an Ed25519 key in its DER (RFC 8410).
const ED25519: &str = "MCowBQYDK2VwAyEA";

/// One of each of their ways.
pub(super) fn others() -> [Example; 3] {
    [marketplace(), deprecated(), workflow()]
}

/// A marketplace app's webhooks, as they are signed today.
fn marketplace() -> Example {
    let key = format!("{ED25519}{PUBLIC_KEY}");
    Example { way: "signed", sign: signing::gohighlevel, ..signed(key) }
}

/// The same under the signature that is deprecated.
fn deprecated() -> Example {
    Example { way: "signed with RSA", sign: signing::gohighlevel_rsa, ..signed(signing::rsa_public_key()) }
}

const EVENTS: Requests = &[
    (
        "/api/ghl-webhooks/new-contact",
        r#"{"type":"ContactCreate","webhookId":"wh_1","locationId":"LOC1","id":"CONT1","phone":"+393501234567"}"#,
    ),
    (
        "/api/ghl-webhooks/new-tag",
        r#"{"type":"ContactTagUpdate","webhookId":"wh_2","locationId":"LOC1","id":"CONT1","tags":["vip"]}"#,
    ),
    (
        "/api/ghl-webhooks/new-note",
        r#"{"type":"NoteCreate","webhookId":"wh_3","locationId":"LOC1","id":"NOTE1","contactId":"CONT1","body":"Call back"}"#,
    ),
    (
        "/api/ghl-webhooks/pipeline-stage-changed",
        r#"{"type":"OpportunityStageUpdate","webhookId":"wh_4","locationId":"LOC1","id":"OPP1","contactId":"CONT1","pipelineStageId":"S1"}"#,
    ),
    (
        "/api/ghl-webhooks/opportunity-status-changed",
        r#"{"type":"OpportunityStatusUpdate","webhookId":"wh_5","locationId":"LOC1","id":"OPP1","contactId":"CONT1","status":"won"}"#,
    ),
];

fn signed(key: String) -> Example {
    let unknown = r#"{"type":"TaskCreate","webhookId":"wh_6","locationId":"LOC1","id":"TASK1"}"#;
    Example {
        settings: [pairs(&[LOCATION]), vec![("GHL_WEBHOOK_PUBLIC_KEY", key)]].concat(),
        // Without it GoHighLevel's published keys count.
        keys: &["GHL_WEBHOOK_PUBLIC_KEY"],
        events: EVENTS,
        changes: &[],
        unknown: Some(("/api/ghl-webhooks/new-contact", unknown)),
        signs_bodies: true,
        spelled: str::to_owned,
        ..workflow()
    }
}

/// A workflow's webhooks, which have no id.
fn workflow() -> Example {
    Example {
        source: "gohighlevel",
        way: "of a workflow",
        settings: pairs(&[LOCATION, ("GHL_WEBHOOK_SECRET", SECRET)]),
        secrets: &[LOCATION.0],
        keys: &["GHL_WEBHOOK_SECRET"],
        content_type: "application/json",
        events: &[],
        changes: &[
            ("/api/ghl-webhooks/new-contact", r#"{"contact_id":"CONT1","phone":"+393501234567","tags":"lead"}"#),
            ("/api/ghl-webhooks/new-tag", r#"{"contact_id":"CONT1","tags":"lead,vip"}"#),
            ("/api/ghl-webhooks/new-note", r#"{"contact_id":"CONT1","note":{"body":"Call back"}}"#),
            (
                "/api/ghl-webhooks/pipeline-stage-changed",
                r#"{"contact_id":"CONT1","id":"OPP1","pipleline_stage":"Won"}"#,
            ),
            ("/api/ghl-webhooks/opportunity-status-changed", r#"{"contact_id":"CONT1","id":"OPP1","status":"won"}"#),
        ],
        // What its route says, it is.
        unknown: None,
        signs_bodies: false,
        is_same: |a, b| a == b,
        sign: signing::shown,
        spelled: signing::scheme_in_any_case,
        vendor: None,
    }
}
