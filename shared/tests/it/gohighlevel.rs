//! GoHighLevel's contacts, against the sandbox.

use std::collections::BTreeMap;

use sandbox::{ContactState, Fault, Sandbox, Vendor};
use serde_json::{Value, json};
use shared::{
    domain::{CallStatus, Direction, Milestone, Report, Verdict},
    env::Env,
    sinks::{
        Sink,
        conformance::{Place, Trouble, bring, later},
        gohighlevel::GoHighLevel,
        sample,
    },
};

use crate::outside;

const LOCATION: &str = "LOC00000000000000001";

struct Crm {
    sandbox: Sandbox,
    sink: GoHighLevel,
}

async fn crm() -> Crm {
    crm_with(&[]).await
}

async fn crm_with(settings: &[(&str, &str)]) -> Crm {
    let sandbox = Sandbox::start(outside::anywhere()).await.expect("a free port");
    let sink = sink(&sandbox, settings);
    Crm { sandbox, sink }
}

fn sink(sandbox: &Sandbox, settings: &[(&str, &str)]) -> GoHighLevel {
    let base_url = sandbox.base_urls().ghl;
    let usual = [("GHL_API_KEY", "pit-test"), ("GHL_LOCATION_ID", LOCATION), ("GHL_BASE_URL", base_url.as_str())];
    let env = Env::from_pairs(usual).with(settings.iter().copied());
    GoHighLevel::from_env(&env, &outside::impatient()).expect("good settings").expect("it is configured")
}

impl Crm {
    fn contacts(&self) -> Vec<ContactState> {
        self.sandbox.state().ghl.contacts
    }

    /// The notes of the only contact.
    fn notes(&self) -> Vec<String> {
        let contacts = self.contacts();
        assert_eq!(contacts.len(), 1, "one contact");
        contacts[0].notes.iter().map(|note| note.body.clone()).collect()
    }

    /// Its custom fields by key.
    fn fields(&self) -> BTreeMap<String, Value> {
        let state = self.sandbox.state().ghl;
        let key = |id: &str| state.custom_fields.iter().find(|f| f.id == id).map(|f| f.field_key.clone());
        let values = state.contacts.iter().flat_map(|contact| contact.contact.custom_fields.clone());
        values.map(|field| (key(&field.id).unwrap_or(field.id), field.value)).collect()
    }

    fn tags(&self) -> Vec<String> {
        let mut tags = self.contacts()[0].contact.tags.clone();
        tags.sort_unstable();
        tags
    }

    /// Sends what a person or another program would.
    async fn post(&self, path: &str, body: Value) -> Value {
        let request = outside::impatient().http.post(format!("{}{path}", self.sandbox.base_urls().ghl));
        let request = request.bearer_auth("a-person").header("Version", "2021-07-28").json(&body);
        request.send().await.expect("an answer").json().await.expect("JSON")
    }

    async fn add_contact(&self, fields: Value) -> String {
        let mut body = json!({"locationId": LOCATION});
        body.as_object_mut().expect("an object").extend(fields.as_object().cloned().unwrap_or_default());
        self.post("/contacts/", body).await["contact"]["id"].as_str().expect("an id").to_owned()
    }
}

impl Place for Crm {
    fn sink(&self) -> &dyn Sink {
        &self.sink
    }

    fn holds(&self) -> Value {
        let contacts = self.contacts();
        let each = contacts.iter().map(|contact| {
            let mut notes: Vec<_> = contact.notes.iter().map(|note| note.body.clone()).collect();
            notes.sort_unstable();
            json!({"phone": contact.contact.phone, "name": contact.contact.contact_name, "notes": notes})
        });
        let contacts: Vec<_> = each.collect();
        let tags = (!contacts.is_empty()).then(|| self.tags());
        json!({"contacts": contacts, "tags": tags, "fields": self.fields()})
    }

    fn copies(&self) -> usize {
        self.contacts().iter().map(|contact| contact.notes.len()).sum()
    }

    fn requests(&self) -> usize {
        self.sandbox.asked(Vendor::Ghl, "").len()
    }

    fn trouble(&self, trouble: Trouble) {
        let fault = Fault::new(Vendor::Ghl, outside::fault_of(trouble));
        self.sandbox.fault(fault.method("POST").path("/notes").times(1));
    }
}

shared::sink_conformance!(crm);

#[tokio::test]
async fn an_analyzed_call_is_two_notes_two_fields_and_tags_on_a_new_contact() {
    let crm = crm().await;
    let mut report = sample::analyzed();
    bring(&crm, &mut report).await.expect("the CRM is well");
    let contacts = crm.contacts();
    assert_eq!(contacts[0].contact.phone.as_deref(), Some("+393501234567"));
    assert_eq!(contacts[0].contact.other["firstName"], "Mario");
    assert_eq!(contacts[0].contact.other["lastName"], "Rossi");
    let notes = crm.notes();
    assert_eq!(notes.len(), 2, "the call's note has the link: no other note for the recording");
    assert!(notes[0].starts_with("[CloudTalk] Call completed - \n") && notes[0].contains("📼 Recording: Available"));
    assert!(notes[1].starts_with("[CloudTalk Feedback] ") && notes[1].contains("Caller: My invoice is wrong."));
    let fields = crm.fields();
    assert_eq!(fields["contact.cloudtalk_recording_url"], json!(report.recording_link));
    let last = fields["contact.cloudtalk_last_recording"].as_str().expect("JSON text");
    let last: Value = serde_json::from_str(last).expect("JSON");
    assert_eq!((&last["call_id"], &last["call_duration"]), (&json!("123456"), &json!(120)));
    assert_eq!(crm.tags(), ["ct-callcompleted", "ct-completed", "ct-outbound", "ct-recordingavailable"]);
}

#[tokio::test]
async fn an_existing_contact_is_found_and_its_tags_and_name_are_kept() {
    let crm = crm().await;
    crm.add_contact(json!({"phone": "+39 350 1234567", "firstName": "Super", "lastName": "Mario", "tags": ["VIP"]}))
        .await;
    bring(&crm, &mut sample::analyzed()).await.expect("the CRM is well");
    let contacts = crm.contacts();
    assert_eq!(contacts.len(), 1);
    assert_eq!(contacts[0].contact.contact_name.as_deref(), Some("super mario"));
    assert_eq!(crm.tags(), ["ct-callcompleted", "ct-completed", "ct-outbound", "ct-recordingavailable", "vip"]);
}

#[tokio::test]
async fn tags_that_are_there_in_any_case_are_not_sent_again() {
    let crm = crm().await;
    let tags = ["CT-CallCompleted", "ct-completed", "Ct-Outbound", "ct-recordingavailable"];
    crm.add_contact(json!({"phone": "+393501234567", "tags": tags})).await;
    bring(&crm, &mut sample::analyzed()).await.expect("the CRM is well");
    assert_eq!(crm.sandbox.asked(Vendor::Ghl, "/tags").len(), 0);
}

#[tokio::test]
async fn a_contact_that_the_searches_do_not_know_yet_is_taken_from_the_refusal_to_duplicate_it() {
    let crm = crm().await;
    let id = crm.add_contact(json!({"phone": "+393501234567"})).await;
    let nothing = |kind: &str, body: Value| {
        let fault = Fault::status(Vendor::Ghl, 200).body(body).path(kind.to_owned());
        crm.sandbox.fault(fault.times(1));
    };
    nothing("/contacts/search/duplicate", json!({"contact": null}));
    nothing("/contacts/search", json!({"contacts": [], "total": 0}));
    let mut report = sample::analyzed();
    bring(&crm, &mut report).await.expect("the CRM is well");
    assert_eq!(report.held(Milestone::Ended).map(|held| held.refs["contact_id"].clone()), Some(json!(id)));
    assert_eq!(crm.notes().len(), 2);
}

#[tokio::test]
async fn a_contact_is_not_created_where_that_is_switched_off_but_found_once_it_is_there() {
    let crm = crm_with(&[("GHL_CREATE_CONTACTS", "off")]).await;
    let mut report = sample::ended();
    bring(&crm, &mut report).await.expect("nothing is wrong");
    assert_eq!(crm.contacts().len(), 0);
    crm.add_contact(json!({"phone": "+393501234567"})).await;
    report = later(report, sample::analyzed());
    bring(&crm, &mut report).await.expect("the CRM is well");
    assert_eq!(crm.notes().len(), 2, "the call's own note is not forgotten");
}

#[tokio::test]
async fn a_recording_that_nobody_announced_at_the_calls_end_has_a_note_of_its_own() {
    let crm = crm().await;
    let mut report = sample::ended();
    report.recording_link = None;
    bring(&crm, &mut report).await.expect("the CRM is well");
    assert_eq!(crm.tags(), ["ct-callcompleted", "ct-completed", "ct-outbound"], "no recording is expected");
    let mut recorded = sample::recorded();
    recorded.call.facts.recording_announced = true;
    report = later(report, recorded);
    bring(&crm, &mut report).await.expect("the CRM is well");
    let notes = crm.notes();
    assert_eq!(notes.len(), 2);
    assert!(!notes[0].contains("📼"), "what people have read is left alone");
    assert!(notes[1].starts_with("[CloudTalk Recording] Call 123456 recording available\n"));
    assert!(crm.tags().contains(&"ct-recordingready".to_owned()));
}

#[tokio::test]
async fn a_missed_call_is_a_note_and_tags_and_nothing_else() {
    let crm = crm().await;
    let mut report = sample::ended();
    report.call.facts.status = Some(CallStatus::Missed);
    report.call.facts.direction = Some(Direction::Inbound);
    report.recording_link = None;
    bring(&crm, &mut report).await.expect("the CRM is well");
    assert!(crm.notes()[0].starts_with("[CloudTalk] Call missed - \n"));
    assert_eq!(crm.tags(), ["ct-failed", "ct-inbound"]);
    assert!(crm.fields().is_empty());
}

#[tokio::test]
async fn what_was_written_before_a_failure_is_remembered() {
    let crm = crm().await;
    crm.sandbox.fault(Fault::status(Vendor::Ghl, 500).path("/tags").times(1));
    let mut report = sample::analyzed();
    bring(&crm, &mut report).await.expect_err("the tags failed");
    crm.sandbox.clear_ledger();
    bring(&crm, &mut report).await.expect("the CRM is well again");
    let paths = |part: &str| crm.sandbox.asked(Vendor::Ghl, part).len();
    assert_eq!((paths("/contacts/search"), paths("/customFields")), (0, 0));
    assert_eq!(crm.notes().len(), 2);
}

#[tokio::test]
async fn a_call_id_that_begins_like_anothers_is_not_taken_for_it() {
    let crm = crm().await;
    bring(&crm, &mut sample::analyzed()).await.expect("the CRM is well");
    let mut other = sample::analyzed();
    other.call.facts.provider_call_id = Some("12345".into());
    other.maybe_written = true;
    bring(&crm, &mut other).await.expect("the CRM is well");
    assert_eq!(crm.notes().len(), 4);
}

#[tokio::test]
async fn a_contact_that_was_deleted_is_looked_for_again() {
    let crm = crm().await;
    let mut report = sample::ended();
    bring(&crm, &mut report).await.expect("the CRM is well");
    for held in &mut report.held {
        held.refs["contact_id"] = "gone".into();
    }
    report = later(report, sample::analyzed());
    bring(&crm, &mut report).await.expect("another is found");
    assert_eq!(crm.notes().len(), 2);
}

#[tokio::test]
async fn a_note_that_a_person_deleted_is_written_again_only_when_there_is_news() {
    let crm = crm().await;
    let mut report = sample::analyzed();
    bring(&crm, &mut report).await.expect("the CRM is well");
    for held in &mut report.held {
        if held.milestone == Milestone::Analyzed {
            held.refs["note_id"] = "deleted".into();
        }
    }
    bring(&crm, &mut report).await.expect("nothing to do");
    assert_eq!(crm.notes().len(), 2);
    report.feedback.as_mut().expect("feedback").judged.summary = "News.".into();
    bring(&crm, &mut report).await.expect("the CRM is well");
    assert_eq!(crm.notes().iter().filter(|note| note.contains("News.")).count(), 1);
}

#[tokio::test]
async fn the_last_recording_is_that_of_the_last_call_whichever_is_processed_last() {
    let crm = crm().await;
    let call = |id: &str, ended: &str| -> Report {
        let mut report = sample::analyzed();
        report.call.facts.provider_call_id = Some(id.into());
        report.call.facts.ended_at = Some(ended.parse().expect("a time"));
        report
    };
    bring(&crm, &mut call("2", "2025-09-16T15:00:00Z")).await.expect("the CRM is well");
    bring(&crm, &mut call("1", "2025-09-16T14:00:00Z")).await.expect("the CRM is well");
    let last = crm.fields()["contact.cloudtalk_last_recording"].to_string();
    assert!(last.contains(r#"\"call_id\":\"2\""#), "{last}");
}

#[tokio::test]
async fn fields_that_the_location_lacks_are_created_or_done_without() {
    let none = json!({"customFields": []});
    let without = crm_with(&[("GHL_CREATE_FIELDS", "off")]).await;
    without.sandbox.fault(Fault::status(Vendor::Ghl, 200).body(none.clone()).method("GET").path("/customFields"));
    bring(&without, &mut sample::analyzed()).await.expect("it goes on without");
    assert!(without.fields().is_empty());
    assert_eq!(without.notes().len(), 2);
    let refusing = crm().await;
    refusing.sandbox.fault(Fault::status(Vendor::Ghl, 200).body(none.clone()).method("GET").path("/customFields"));
    refusing.sandbox.fault(Fault::status(Vendor::Ghl, 403).method("POST").path("/customFields"));
    bring(&refusing, &mut sample::analyzed()).await.expect("it goes on without");
    let creating = crm().await;
    let empty = Fault::status(Vendor::Ghl, 200).body(none).method("GET").path("/customFields");
    creating.sandbox.fault(empty.times(1));
    let created = json!({"customField": {"id": "made", "fieldKey": "contact.cloudtalk_last_recording"}});
    let made = Fault::status(Vendor::Ghl, 201).body(created).method("POST").path("/customFields");
    creating.sandbox.fault(made);
    // The id is not one of the location's: the refusal makes the ids be read anew, and then they are right.
    bring(&creating, &mut sample::analyzed()).await.expect("the ids are read anew");
    assert_eq!(creating.fields().len(), 2);
}

#[tokio::test]
async fn a_bad_token_needs_a_person_and_doctor_says_so() {
    let crm = crm().await;
    crm.sandbox.fault(Fault::status(Vendor::Ghl, 401));
    let error = crm.sink.deliver(&sample::analyzed()).await.expect_err("the token is refused");
    assert_eq!((error.verdict, error.reason.as_ref()), (Verdict::Fail, "vendor-refuses-credentials"));
    assert!(crm.sink.check().await.is_err());
}

#[tokio::test]
async fn a_key_without_a_location_is_a_wrong_setting() {
    let env = Env::from_pairs([("GHL_API_KEY", "pit-test")]);
    let error = GoHighLevel::from_env(&env, &outside::impatient()).err().expect("the location is missing");
    assert!(error.to_string().contains("GHL_LOCATION_ID"));
    assert!(GoHighLevel::from_env(&Env::default(), &outside::impatient()).expect("no settings are fine").is_none());
}
