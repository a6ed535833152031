#![expect(clippy::unwrap_used, reason = "tests may panic")]

use aws_lc_rs::{
    encoding::AsDer,
    rand::SystemRandom,
    rsa::KeySize,
    signature::{KeyPair, RSA_PKCS1_SHA256, RsaKeyPair},
};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use super::*;
use crate::{
    domain::{Event, EventId},
    mirror::{Change, What},
    sources::WebhookRequest,
};

/// Of the key whose seed is 32 times 0x42.
const KEY: &str = "MCowBQYDK2VwAyEAIVL40Zt5HSRFMkLhXy6rbLfP+ntqXtMAl5YOBpiB2xI=";
const BODY: &str = r#"{"type":"NoteCreate","timestamp":"2026-11-20T09:00:00.000Z","webhookId":"wh_test_0001","locationId":"LOC0000000000000TEST","id":"NOTE000000000000TEST","body":"hello","contactId":"CONT000000000000TEST","dateAdded":"2026-11-20T08:59:59.000Z"}"#;
const MADE: &str = "+JkPlMFS9HMkckyknuBi1SS2pOU/ue8vuZnZf0aqiQE/VgZaOYllYAPldLtzCf03ZAA1+VxhwsL3EBwICPtHBQ==";
const HERE: &str = "LOC0000000000000TEST";

fn source(settings: &[(&str, &str)]) -> GoHighLevel {
    let env = Env::from_pairs([(LOCATION, HERE)]).with(settings.iter().copied());
    GoHighLevel::from_env(&env).unwrap().unwrap()
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let pair =
        |(name, value): &(&'static str, &str)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    pairs.iter().map(pair).collect()
}

fn passes(source: &GoHighLevel, shown: &[(&'static str, &str)], body: &str) -> bool {
    let headers = headers(shown);
    let received_at = "2026-11-20T09:00:00Z".parse().unwrap();
    source.verify(&WebhookRequest { target: "/", headers: &headers, body: body.as_bytes(), received_at }).is_ok()
}

fn receive(hint: &str, shown: &[(&'static str, &str)], body: &str) -> Result<NewEvent, Unusable> {
    let headers = headers(shown);
    let received_at = "2026-11-20T09:00:00Z".parse().unwrap();
    let request = WebhookRequest { target: "/", headers: &headers, body: body.as_bytes(), received_at };
    let route = ROUTES.iter().find(|route| route.hint == hint).unwrap();
    source(&[]).receive(route, Verified::vouch(&request))
}

fn change_of(event: NewEvent) -> Change {
    let NewEvent { provider, account, kind, dedupe_key, body } = event;
    let received_at = "2026-11-20T09:00:00Z".parse().unwrap();
    let event = Event { id: EventId::new(), provider, account, kind, dedupe_key, body, received_at };
    change(&event).unwrap().unwrap()
}

#[test]
fn a_signature_holds_for_these_bytes_and_no_others() {
    let source = source(&[(PUBLIC_KEY, KEY)]);
    let signed = [("x-ghl-signature", MADE)];
    assert!(passes(&source, &signed, BODY));
    for at in [0, BODY.len() / 2, BODY.len() - 1] {
        let mut flipped = BODY.as_bytes().to_vec();
        flipped[at] ^= 1;
        assert!(!passes(&source, &signed, &String::from_utf8(flipped).unwrap()), "byte {at}");
    }
    let mut other = BASE64_STANDARD.decode(MADE).unwrap();
    other[20] ^= 1;
    assert!(!passes(&source, &[("x-ghl-signature", &BASE64_STANDARD.encode(other))], BODY));
    assert!(!passes(&source, &[("x-ghl-signature", "no base64")], BODY));
    assert!(!passes(&source, &[], BODY), "unsigned, and no secret is set");
    let published = self::source(&[]);
    assert!(!passes(&published, &signed, BODY), "made with another key than the published one");
}

#[test]
fn the_deprecated_signature_counts_only_where_there_is_no_other() {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let der = pair.public_key().as_der().unwrap();
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----", BASE64_STANDARD.encode(der.as_ref()));
    let mut made = vec![0; pair.public_modulus_len()];
    pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), BODY.as_bytes(), &mut made).unwrap();
    let legacy = BASE64_STANDARD.encode(made);
    let source = source(&[(PUBLIC_KEY, pem.as_str())]);
    assert!(passes(&source, &[("x-wh-signature", &legacy)], BODY));
    assert!(passes(&source, &[("x-wh-signature", &legacy), ("x-ghl-signature", "N/A")], BODY));
    assert!(!passes(&source, &[("x-wh-signature", &legacy)], &BODY.replace("hello", "hullo")));
    assert!(!passes(&source, &[("x-wh-signature", &legacy), ("x-ghl-signature", MADE)], BODY));
    let both = self::source(&[(PUBLIC_KEY, KEY)]);
    assert!(passes(&both, &[("x-wh-signature", "N/A"), ("x-ghl-signature", MADE)], BODY));
}

#[test]
fn a_workflow_shows_the_secret_and_cannot_make_up_for_a_wrong_signature() {
    let source = source(&[(SECRET, "a secret"), (PUBLIC_KEY, KEY)]);
    let bearer = ("authorization", "Bearer a secret");
    assert!(passes(&source, &[bearer], "{}"));
    assert!(passes(&source, &[], r#"{"contact_id": "c", "customData": {"secret": "a secret"}}"#));
    assert!(!passes(&source, &[], r#"{"contact_id": "c", "customData": {"secret": "another"}}"#));
    assert!(!passes(&source, &[("authorization", "Bearer guess")], "{}"));
    let guess = headers(&[("authorization", "Bearer guess")]);
    assert!(!source.may_pass("/", &guess) && source.may_pass("/", &headers(&[bearer])));
    assert!(!passes(&source, &[bearer, ("x-ghl-signature", MADE)], "{}"));
}

#[test]
fn settings_without_a_location_and_keys_that_are_none_stop_the_start() {
    assert!(GoHighLevel::from_env(&Env::default()).unwrap().is_none());
    let missing = GoHighLevel::from_env(&Env::from_pairs([(SECRET, "s")])).err().unwrap();
    assert_eq!(missing.to_string(), "GHL_LOCATION_ID is not set");
    let invalid = GoHighLevel::from_env(&Env::from_pairs([(LOCATION, HERE), (PUBLIC_KEY, "key")])).err().unwrap();
    assert!(invalid.to_string().starts_with("GHL_WEBHOOK_PUBLIC_KEY"), "{invalid}");
    assert!(passes(&source(&[(VERIFY, "off")]), &[], BODY));
}

#[test]
fn marketplace_events_are_what_their_type_says_on_whichever_route() {
    let kinds = [
        ("ContactCreate", "new-contact"),
        ("ContactUpdate", "contact-updated"),
        ("ContactTagUpdate", "new-tag"),
        ("NoteCreate", "new-note"),
        ("OpportunityStageUpdate", "pipeline-stage-changed"),
        ("OpportunityStatusUpdate", "opportunity-status-changed"),
        ("ContactDndUpdate", "contact-dnd-update"),
        ("InstallApp", "install-app"),
    ];
    for (name, kind) in kinds {
        let flat = json!({"type": name, "locationId": HERE, "id": "ID", "contactId": "C", "webhookId": "wh_1"});
        let nested =
            json!({"type": name, "webhookId": "wh_1", "data": {"locationId": HERE, "id": "ID", "contactId": "C"}});
        for body in [flat, nested] {
            let event = receive("new-contact", &[("x-ghl-signature", MADE)], &body.to_string()).unwrap();
            assert_eq!((event.kind.as_str(), event.dedupe_key.as_str()), (kind, "wh_1"), "{body}");
            assert_eq!(event.account, HERE);
        }
    }
    let event = receive("new-contact", &[("x-ghl-signature", MADE)], BODY).unwrap();
    let Change { who, what, .. } = change_of(event);
    assert_eq!(who.id.as_deref(), Some("CONT000000000000TEST"));
    let (id, text) = (Some("NOTE000000000000TEST".to_owned()), Some("hello".to_owned()));
    assert_eq!(what, What::Note { id, text });
}

#[test]
fn workflow_events_are_what_their_route_says() {
    let body = json!({
        "contact_id": "CONT1", "first_name": "Mario", "full_name": "Mario Rossi", "email": "mario@example.test",
        "phone": "+39 350 123 4567", "tags": "lead,vip", "contact_type": "lead", "id": "OPP1", "status": "Won",
        "opportunity_name": "A deal", "pipleline_stage": "Qualified", "pipeline_id": "P1", "pipeline_name": "Sales",
        "lead_value": 40, "location": {"id": HERE, "name": "Acme"}, "workflow": {"id": "W", "name": "to us"},
        "customData": {"note": "call back"},
    });
    let event = |hint: &str| receive(hint, &[], &body.to_string()).unwrap();
    let contact = change_of(event("new-contact"));
    assert_eq!((contact.who.id.as_deref(), contact.what), (Some("CONT1"), What::Contact));
    assert_eq!(contact.who.phone.unwrap().as_str(), "+393501234567");
    let What::Deal(deal) = change_of(event("pipeline-stage-changed")).what else { panic!("a deal") };
    assert_eq!(
        [deal.id, deal.name, deal.status, deal.pipeline, deal.stage].map(Option::unwrap),
        ["OPP1", "A deal", "won", "Sales", "Qualified"]
    );
    let What::Note { text, .. } = change_of(event("new-note")).what else { panic!("a note") };
    assert_eq!(text.as_deref(), Some("call back"));
    assert_ne!(event("new-tag").dedupe_key, event("new-tag").dedupe_key, "a change may be made, undone and made again");
}

#[test]
fn of_other_locations_nothing_is_kept_but_that_they_told() {
    let body =
        json!({"type": "ContactCreate", "locationId": "ELSEWHERE", "id": "C", "phone": "+15550100", "webhookId": "w"});
    let event = receive("new-contact", &[("x-ghl-signature", MADE)], &body.to_string()).unwrap();
    assert_eq!((event.kind.as_str(), event.account.as_str()), ("other-location", "ELSEWHERE"));
    let kept: Value = serde_json::from_slice(&event.body).unwrap();
    assert_eq!(kept, json!({"locationId": "ELSEWHERE", "webhookId": "w"}));
}

#[test]
fn an_event_about_nobody_names_the_field_that_it_lacks() {
    let unusable = receive("new-tag", &[], r#"{"tags": "vip"}"#).unwrap_err();
    assert!(matches!(unusable, Unusable::Field { field, .. } if field == "contactId"));
    assert!(matches!(receive("new-tag", &[], "[]"), Err(Unusable::Malformed { .. })));
}
