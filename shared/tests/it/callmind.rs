//! Callmind's call history, against the sandbox.

use sandbox::{CallmindDuplicates, CallmindRecord, Fault, Sandbox, Vendor};
use serde_json::{Value, json};
use shared::{
    domain::{Milestone, Verdict},
    env::Env,
    sinks::{
        Sink,
        callmind::Callmind,
        conformance::{Place, Trouble, bring, later},
        sample,
    },
};

use crate::outside;

struct History {
    sandbox: Sandbox,
    sink: Callmind,
    /// What a request that makes a record goes to.
    made_at: &'static str,
}

async fn history(mode: &str) -> History {
    let sandbox = Sandbox::start(outside::anywhere()).await.expect("a free port");
    let sink = sink(&sandbox.base_urls().callmind, mode);
    let made_at = if mode == "webhook" { "/webhooks/calls/started" } else { "/call-history" };
    History { sandbox, sink, made_at }
}

fn sink(base_url: &str, mode: &str) -> Callmind {
    sink_with(base_url, mode, &[("CALLMIND_TOKEN", "a-token")])
}

fn sink_with(base_url: &str, mode: &str, more: &[(&str, &str)]) -> Callmind {
    let env = Env::from_pairs([
        ("CALLMIND_BASE_URL", base_url),
        ("CALLMIND_AGENT_ID", "agent_12345"),
        ("CALLMIND_USER_ID", "user_67890"),
        ("CALLMIND_MODE", mode),
    ]);
    let env = env.with(more.iter().copied());
    Callmind::from_env(&env, &outside::impatient()).expect("good settings").expect("it is configured")
}

impl History {
    fn records(&self) -> Vec<CallmindRecord> {
        self.sandbox.state().callmind.records
    }

    fn duplicates(self, answer: CallmindDuplicates) -> Self {
        self.sandbox.switch(|switches| switches.callmind_duplicates = answer);
        self
    }
}

impl Place for History {
    fn sink(&self) -> &dyn Sink {
        &self.sink
    }

    fn holds(&self) -> Value {
        self.records().into_iter().map(|record| Value::Object(record.fields)).collect()
    }

    fn copies(&self) -> usize {
        self.records().len()
    }

    fn requests(&self) -> usize {
        self.sandbox.asked(Vendor::Callmind, "").len()
    }

    fn trouble(&self, trouble: Trouble) {
        let fault = Fault::new(Vendor::Callmind, outside::fault_of(trouble));
        self.sandbox.fault(fault.method("POST").path(self.made_at).times(1));
    }
}

mod one_step {
    async fn place() -> super::History {
        super::history("one-step").await
    }

    shared::sink_conformance!(place);
}

mod two_step {
    async fn place() -> super::History {
        super::history("two-step").await
    }

    shared::sink_conformance!(place);
}

mod whose_duplicates_are_201 {
    async fn place() -> super::History {
        super::history("two-step").await.duplicates(super::CallmindDuplicates::Created)
    }

    shared::sink_conformance!(place);
}

mod whose_duplicates_are_409 {
    async fn place() -> super::History {
        super::history("two-step").await.duplicates(super::CallmindDuplicates::Conflict)
    }

    shared::sink_conformance!(place);
}

mod whose_duplicates_are_told_in_words {
    async fn place() -> super::History {
        super::history("one-step").await.duplicates(super::CallmindDuplicates::BadRequest)
    }

    shared::sink_conformance!(place);
}

mod whose_duplicates_are_inside_another_object {
    async fn place() -> super::History {
        super::history("two-step").await.duplicates(super::CallmindDuplicates::Nested)
    }

    shared::sink_conformance!(place);
}

mod through_webhooks {
    async fn place() -> super::History {
        super::history("webhook").await
    }

    shared::sink_conformance!(place);
}

#[tokio::test]
async fn one_step_sends_one_complete_record_and_no_update() {
    let history = history("one-step").await;
    let mut report = sample::started();
    for state in [sample::started, sample::ended, sample::recorded, sample::analyzed] {
        report = later(report, state());
        bring(&history, &mut report).await.expect("Callmind is well");
    }
    assert_eq!(history.requests(), 1);
    let [record] = &history.records()[..] else { panic!("one record") };
    let fields = Value::Object(record.fields.clone());
    assert_eq!(fields["agentId"], "agent_12345");
    assert_eq!(fields["userId"], "user_67890");
    assert!(fields.get("orgId").is_none(), "it is not set");
    assert_eq!(fields["status"], "completed");
    assert_eq!(fields["transcript"], "Agent: Hello Mario, how can I help?\nCaller: My invoice is wrong.");
    assert_eq!(fields["collectedData"], json!({"email": "mario@example.test"}));
}

#[tokio::test]
async fn two_steps_create_at_the_start_and_update_at_each_milestone() {
    let history = history("two-step").await;
    let mut report = sample::started();
    bring(&history, &mut report).await.expect("Callmind is well");
    assert_eq!(history.records()[0].fields["status"], "in-progress");
    assert!(history.records()[0].fields.get("duration").is_none());
    for state in [sample::ended, sample::recorded, sample::analyzed] {
        report = later(report, state());
        bring(&history, &mut report).await.expect("Callmind is well");
    }
    let [record] = &history.records()[..] else { panic!("one record") };
    let vias: Vec<_> = record.history.iter().map(|update| update.via.as_str()).collect();
    // The stored recording is no news for Callmind: its link was known at the end of the call.
    assert_eq!(vias, ["create", "update", "update"]);
    assert_eq!(record.fields["summary"], "Customer called about an invoice, resolved.");
}

#[tokio::test]
async fn a_record_whose_id_callmind_keeps_to_itself_is_completed_by_its_call_sid() {
    let without_id =
        [CallmindDuplicates::ConflictWithoutId, CallmindDuplicates::ServerError, CallmindDuplicates::Words];
    for answer in without_id {
        let history = history("two-step").await.duplicates(answer);
        let mut report = sample::started();
        history.trouble(Trouble::ReplyLost);
        bring(&history, &mut report).await.expect_err("the answer was lost");
        report = later(report, sample::analyzed());
        bring(&history, &mut report).await.expect("Callmind is well again");
        let [record] = &history.records()[..] else { panic!("one record") };
        assert_eq!(record.fields["status"], "completed", "{answer:?}");
        assert_eq!(record.fields["summary"], "Customer called about an invoice, resolved.");
    }
}

#[tokio::test]
async fn a_call_keeps_the_call_sid_it_was_announced_with() {
    let history = history("two-step").await;
    let mut report = sample::started();
    report.call.facts.provider_call_id = None;
    let ours = report.call.id;
    history.trouble(Trouble::ReplyLost);
    bring(&history, &mut report).await.expect_err("the answer was lost");
    report = later(report, sample::ended());
    report.call.id = ours;
    bring(&history, &mut report).await.expect("Callmind is well again");
    let [record] = &history.records()[..] else { panic!("one record, not one for each id") };
    assert_eq!(record.fields["callSid"], ours.to_string());
    assert_eq!(record.fields["status"], "completed");
}

#[tokio::test]
async fn a_record_that_callmind_has_lost_is_created_anew() {
    let history = history("two-step").await;
    let mut report = sample::ended();
    bring(&history, &mut report).await.expect("Callmind is well");
    history.sandbox.fault(Fault::status(Vendor::Callmind, 404).method("PATCH").times(1));
    report = later(report, sample::analyzed());
    bring(&history, &mut report).await.expect("it is created anew");
    let creations = history.sandbox.asked(Vendor::Callmind, "/call-history");
    assert_eq!(creations.iter().filter(|request| request.method == "POST").count(), 2);
}

#[tokio::test]
async fn a_call_that_the_webhooks_have_lost_is_announced_anew() {
    let history = history("webhook").await;
    let mut report = sample::ended();
    bring(&history, &mut report).await.expect("Callmind is well");
    history.sandbox.fault(Fault::status(Vendor::Callmind, 404).path("/webhooks/calls/completed").times(1));
    // It says so twice: what is found out is kept, so that the next try begins with the announcement.
    history.sandbox.fault(Fault::status(Vendor::Callmind, 500).path("/webhooks/calls/started").times(1));
    report = later(report, sample::analyzed());
    bring(&history, &mut report).await.expect_err("it cannot be announced at this moment");
    let before = history.requests();
    bring(&history, &mut report).await.expect("it is announced and completed");
    let asked: Vec<_> = history.sandbox.ledger().into_iter().skip(before).map(|request| request.path).collect();
    let paths = ["started", "completed"].map(|name| format!("/callmind/api/webhooks/calls/{name}"));
    assert_eq!(asked, paths);
    let [record] = &history.records()[..] else { panic!("one record") };
    assert_eq!(record.fields["summary"], "Customer called about an invoice, resolved.");

    history.sandbox.fault(Fault::status(Vendor::Callmind, 404).path("/webhooks/calls/completed").times(1));
    report.feedback.as_mut().expect("an analyzed call has feedback").judged.summary = "Another.".into();
    bring(&history, &mut report).await.expect("lost again, announced and completed at once");
    assert_eq!(history.records()[0].fields["summary"], "Another.");
}

#[tokio::test]
async fn a_missed_or_failed_call_is_recorded_as_such_in_every_mode() {
    use shared::domain::{CallStatus, Conclusion};
    for mode in ["one-step", "two-step", "webhook"] {
        for (status, word) in [(CallStatus::Missed, "missed"), (CallStatus::Failed, "failed")] {
            let history = history(mode).await;
            let mut report = sample::started();
            bring(&history, &mut report).await.expect("Callmind is well");
            report = later(report, sample::ended());
            report.call.facts.status = Some(status);
            report.call.facts.duration_seconds = None;
            report.recording_link = None;
            report.call.conclusion = Some(Conclusion::NotRecorded);
            bring(&history, &mut report).await.expect("Callmind is well");
            let [record] = &history.records()[..] else { panic!("one record, not one for each step") };
            assert_eq!((&record.fields["status"], &record.fields["duration"]), (&json!(word), &json!(0)), "{mode}");
            assert!(report.held(Milestone::Analyzed).is_some());
        }
    }
}

#[tokio::test]
async fn webhook_mode_tells_the_webhooks_what_they_know_and_nothing_else() {
    let history = history("webhook").await;
    let mut report = sample::started();
    for state in [sample::started, sample::ended, sample::recorded, sample::analyzed] {
        report = later(report, state());
        bring(&history, &mut report).await.expect("Callmind is well");
    }
    let asked: Vec<_> = history.sandbox.ledger().into_iter().map(|request| request.path).collect();
    let [started, completed] = ["started", "completed"].map(|name| format!("/callmind/api/webhooks/calls/{name}"));
    // The stored recording is no news for Callmind: its link was known at the end of the call.
    assert_eq!(asked, [&started, &completed, &completed].map(String::clone));
    let [record] = &history.records()[..] else { panic!("one record") };
    let keys = |at: usize| record.history[at].fields.keys().map(String::as_str).collect::<Vec<_>>();
    assert_eq!(
        keys(0),
        ["agentId", "callSid", "callerNumber", "direction", "status"],
        "the status is the sandbox's own"
    );
    let all = ["callSid", "duration", "recordingUrl", "sentiment", "status", "summary", "transcript"];
    assert_eq!(keys(2), all);
}

#[tokio::test]
async fn the_base_url_may_or_may_not_end_in_api() {
    let history = history("one-step").await;
    let with = history.sandbox.base_urls().callmind;
    let without = with.trim_end_matches("/api");
    for base_url in [&with, without, &format!("{with}/"), &format!("{without}/")] {
        sink(base_url, "one-step").deliver(&sample::analyzed()).await.expect("the path is right");
    }
    assert!(history.sandbox.ledger().iter().all(|request| request.path.starts_with("/callmind/api/call-history")));
}

#[tokio::test]
async fn a_bad_token_needs_a_person_and_doctor_says_so() {
    let history = history("one-step").await;
    history.sandbox.fault(Fault::status(Vendor::Callmind, 401));
    let error = history.sink.deliver(&sample::analyzed()).await.expect_err("the token is refused");
    assert_eq!((error.verdict, error.reason.as_ref()), (Verdict::Fail, "vendor-refuses-credentials"));
    assert!(history.sink.check().await.is_err());
}

mod tokens;
