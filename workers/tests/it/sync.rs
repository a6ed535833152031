//! The sync step with its sinks, against the sandbox.

use sandbox::{Fault, FaultKind, Sandbox, Vendor};
use shared::{
    domain::{CallFacts, CallKey, Conclusion, NewJob, Outcome, Report, SinkId, Verdict, Write},
    service::{App, Role},
    sinks::sample,
    testing::{Scratch, Shape},
};
use workers::{step::Run, steps::sync::Sync};

use crate::given::{self, Given};

const CRM: SinkId = SinkId::new("gohighlevel");
const PUBLIC: &str = "https://calls.example.test";

struct Place {
    sandbox: Sandbox,
    app: App,
    _scratch: Scratch,
}

async fn place() -> Place {
    let sandbox = Sandbox::start(([127, 0, 0, 1], 0).into()).await.unwrap();
    let scratch = Scratch::new(Shape::Embedded).await;
    let env = scratch.env().with([
        ("WEBHOOK_BASE_URL", PUBLIC),
        ("GHL_API_KEY", "pit-test"),
        ("GHL_LOCATION_ID", "LOC00000000000000001"),
        ("GHL_BASE_URL", &sandbox.base_urls().ghl),
    ]);
    let app = App::open("test", env, Role::Whole).await.unwrap();
    Place { sandbox, app, _scratch: scratch }
}

/// A report's parts as the database would have them.
fn parts(report: Report) -> Given {
    let keys = vec![CallKey { kind: "id".into(), value: "123456".into() }];
    let recording_url = Some("https://my.cloudtalk.io/pub/r/secret.wav".into());
    Given {
        facts: CallFacts { keys, recording_url, ..report.call.facts },
        recording: report.recording,
        transcript: report.transcript,
        feedback: report.feedback,
    }
}

impl Place {
    fn notes(&self) -> Vec<String> {
        let contacts = self.sandbox.state().ghl.contacts;
        contacts.into_iter().flat_map(|contact| contact.notes).map(|note| note.body).collect()
    }
}

fn deliveries(outcome: &Outcome) -> usize {
    outcome.writes.iter().filter(|write| matches!(write, Write::Delivery(_, sink, _) if *sink == CRM)).count()
}

#[tokio::test]
async fn a_call_is_brought_with_our_lasting_link_and_never_the_providers() {
    let place = place().await;
    let call = given::call(&place.app, parts(sample::recorded())).await;
    let outcome = Sync::new(&place.app).run(&given::job(&NewJob::sync(call.id, CRM))).await.unwrap();
    assert_eq!(deliveries(&outcome), 2, "ended and recorded");
    let notes = place.notes();
    assert!(notes[0].contains(&format!("🔗 {PUBLIC}/api/recordings/cloudtalk/123456?s=")), "{notes:?}");
    assert!(!format!("{:?}", place.sandbox.state().ghl).contains("my.cloudtalk.io"));
}

#[tokio::test]
async fn a_try_after_one_that_was_cut_short_looks_before_it_writes() {
    let place = place().await;
    let call = given::call(&place.app, parts(sample::recorded())).await;
    let mut job = given::job(&NewJob::sync(call.id, CRM));
    let sync = Sync::new(&place.app);
    sync.run(&job).await.unwrap();
    job.claims = 2; // What the first try brought was never kept.
    sync.run(&job).await.unwrap();
    assert_eq!(place.notes().len(), 1);
}

#[tokio::test]
async fn a_sinks_trouble_keeps_its_verdict_and_what_was_brought_before() {
    let place = place().await;
    let call = given::call(&place.app, parts(sample::recorded())).await;
    let full = FaultKind::Status { status: 429, retry_after: Some(7), body: None };
    place.sandbox.fault(Fault::new(Vendor::Ghl, full).path("/tags"));
    let error = Sync::new(&place.app).run(&given::job(&NewJob::sync(call.id, CRM))).await.unwrap_err();
    assert_eq!(error.verdict, Verdict::Snooze { after: std::time::Duration::from_secs(7) });
    assert_eq!(error.writes.len(), 2, "the note, and how far the recording came");
}

#[tokio::test]
async fn a_call_that_left_nothing_in_the_crm_says_why() {
    let place = place().await;
    let sync = Sync::new(&place.app);
    let mut hidden = parts(sample::ended());
    hidden.facts.external_phone = None;
    let call = given::call(&place.app, hidden).await;
    let job = given::job(&NewJob::sync(call.id, CRM));
    let outcome = sync.run(&job).await.unwrap();
    assert_eq!(outcome.skipped.as_deref(), Some("no-phone"));
    given::written(&place.app, outcome.writes).await;
    assert_eq!(sync.run(&job).await.unwrap().skipped.as_deref(), Some("no-phone"), "also the second time");
    let known = given::call(&place.app, parts(sample::recorded())).await;
    assert_eq!(sync.run(&given::job(&NewJob::sync(known.id, CRM))).await.unwrap().skipped, None);
}

#[tokio::test]
async fn a_calls_age_is_taken_once_when_its_sink_is_told_the_end() {
    let place = place().await;
    let call = given::call(&place.app, parts(sample::recorded())).await;
    let (sync, job) = (Sync::new(&place.app), given::job(&NewJob::sync(call.id, CRM)));
    let told = sync.run(&job).await.unwrap();
    assert_eq!((deliveries(&told), told.told_end), (2, None), "work on it goes on");
    let mut feedback = sample::analyzed().feedback.unwrap();
    let end = [Write::Feedback(call.id, feedback.clone()), Write::Conclusion(call.id, Conclusion::Analyzed)];
    given::written(&place.app, told.writes.into_iter().chain(end).collect()).await;

    let full = FaultKind::Status { status: 500, retry_after: None, body: None };
    place.sandbox.fault(Fault::new(Vendor::Ghl, full).times(1));
    let failed = sync.run(&job).await.unwrap_err();
    assert_eq!(failed.told_end, None, "it was not told");
    given::written(&place.app, failed.writes).await;
    let told = sync.run(&job).await.unwrap();
    assert_eq!(told.told_end, Some(call.created_at));
    given::written(&place.app, told.writes).await;

    feedback.judged.summary = "Quite another summary.".into();
    given::written(&place.app, vec![Write::Feedback(call.id, feedback)]).await;
    let told = sync.run(&job).await.unwrap();
    assert_eq!((deliveries(&told), told.told_end), (1, None), "it is told anew, and was told before");
}

#[tokio::test]
async fn a_sink_that_is_no_longer_configured_is_skipped() {
    let place = place().await;
    let call = given::call(&place.app, parts(sample::ended())).await;
    let job = given::job(&NewJob::sync(call.id, SinkId::new("callmind")));
    let outcome = Sync::new(&place.app).run(&job).await.unwrap();
    assert_eq!(outcome.skipped.as_deref(), Some("sink-not-configured"));
}
