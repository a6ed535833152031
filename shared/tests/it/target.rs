//! Messages to a URL of the operator's own, against the sandbox.

use sandbox::{Fault, FaultKind, Sandbox, TargetMessage, Vendor};
use serde_json::{Value, json};
use shared::{
    domain::Verdict,
    env::Env,
    sinks::{
        Sink,
        conformance::{Place, Trouble, bring, later},
        sample,
        target::Target,
    },
};

use crate::outside;

const ANOTHER_SECRET: &str = "whsec_YW5vdGhlciBzZWNyZXQsIHRvIGJlIHJlcGxhY2Vk";

struct Receiver {
    sandbox: Sandbox,
    sink: Target,
}

async fn receiver() -> Receiver {
    let sandbox = Sandbox::start(outside::anywhere()).await.expect("a free port");
    let sink = sink(&sandbox.base_urls().target, sandbox::TARGET_SECRET).expect("good settings");
    Receiver { sandbox, sink }
}

fn sink(url: &str, secret: &str) -> anyhow::Result<Target> {
    let env = Env::from_pairs([("TARGET_URL", url), ("TARGET_SECRET", secret)]);
    Ok(Target::from_env(&env, &outside::impatient())?.expect("it is configured"))
}

impl Receiver {
    fn messages(&self) -> Vec<TargetMessage> {
        self.sandbox.state().target.messages
    }

    fn kinds(&self) -> Vec<String> {
        self.messages().iter().filter_map(|message| Some(message.payload["type"].as_str()?.to_owned())).collect()
    }
}

impl Place for Receiver {
    fn sink(&self) -> &dyn Sink {
        &self.sink
    }

    /// The last word on each milestone.
    fn holds(&self) -> Value {
        let mut last = serde_json::Map::new();
        for message in self.messages().into_iter().filter(|message| message.payload["type"] != "ping") {
            let kind = message.payload["type"].as_str().expect("a type").to_owned();
            last.insert(kind, message.payload["data"].clone());
        }
        last.into()
    }

    fn copies(&self) -> usize {
        self.holds().as_object().map_or(0, serde_json::Map::len)
    }

    fn requests(&self) -> usize {
        self.sandbox.asked(Vendor::Target, "").len()
    }

    fn trouble(&self, trouble: Trouble) {
        self.sandbox.fault(Fault::new(Vendor::Target, outside::fault_of(trouble)).times(1));
    }

    fn status_is_all(&self) -> bool {
        true
    }

    /// A secret or a path of the operator's own may be mended.
    fn refusals(&self) -> &'static [u16] {
        &[400, 410, 422]
    }
}

shared::sink_conformance!(receiver);

#[tokio::test]
async fn each_milestone_is_told_once_and_in_order() {
    let receiver = receiver().await;
    let mut report = sample::started();
    for state in [sample::started, sample::ended, sample::recorded, sample::analyzed] {
        report = later(report, state());
        bring(&receiver, &mut report).await.expect("it listens");
    }
    assert_eq!(receiver.kinds(), ["call.started", "call.ended", "call.recorded", "call.analyzed"]);
    assert!(receiver.messages().iter().all(|message| message.times == 1));
}

#[tokio::test]
async fn a_message_that_comes_again_has_the_id_that_it_had() {
    let receiver = receiver().await;
    let mut report = sample::analyzed();
    receiver.trouble(Trouble::ReplyLost);
    bring(&receiver, &mut report).await.expect_err("the answer was lost");
    bring(&receiver, &mut report).await.expect("it listens again");
    let times: Vec<_> = receiver.messages().iter().map(|message| message.times).collect();
    assert_eq!(times, [2, 1, 1, 1], "the receiver can tell that it has the first one");
}

#[tokio::test]
async fn what_was_told_before_a_failure_is_not_told_again() {
    let receiver = receiver().await;
    let mut report = sample::ended();
    bring(&receiver, &mut report).await.expect("it listens");
    report = later(report, sample::analyzed());
    receiver.sandbox.fault(Fault::status(Vendor::Target, 500).times(1));
    bring(&receiver, &mut report).await.expect_err("it fails");
    bring(&receiver, &mut report).await.expect("it listens again");
    assert_eq!(receiver.requests(), 5);
    assert_eq!(receiver.kinds(), ["call.started", "call.ended", "call.recorded", "call.analyzed"]);
}

#[tokio::test]
async fn feedback_that_changed_is_a_message_of_its_own() {
    let receiver = receiver().await;
    let mut report = sample::analyzed();
    bring(&receiver, &mut report).await.expect("it listens");
    report.feedback.as_mut().expect("an analyzed call has feedback").judged.summary = "Another.".into();
    report.call.facts.contact.name = Some("Maria Rossi".into());
    bring(&receiver, &mut report).await.expect("it listens");
    let kinds = receiver.kinds();
    assert_eq!(kinds[3..], ["call.analyzed", "call.analyzed"], "only the last milestone is told anew: {kinds:?}");
    let said = receiver.messages().last().expect("five messages").payload["data"].clone();
    assert_eq!(said["feedback"]["judged"]["summary"], "Another.");
    assert_eq!(said["call"]["contact"]["name"], "Maria Rossi");
}

#[tokio::test]
async fn while_a_secret_is_replaced_receivers_with_either_verify() {
    let receiver = receiver().await;
    let url = receiver.sandbox.base_urls().target;
    let both = format!("{ANOTHER_SECRET}, {}", sandbox::TARGET_SECRET);
    sink(&url, &both).expect("good settings").deliver(&sample::ended()).await.expect("one signature is right");
    let wrong = sink(&url, ANOTHER_SECRET).expect("good settings");
    let error = wrong.deliver(&sample::ended()).await.expect_err("no signature is right");
    assert_eq!((error.verdict, error.reason.as_ref()), (Verdict::Retry { after: None }, "target-refuses"));
    assert!(wrong.check().await.is_err(), "and doctor says so");
}

#[tokio::test]
async fn a_receiver_that_lets_nobody_in_is_tried_again_and_its_error_says_nothing_of_the_call() {
    for status in [401, 403, 404] {
        let receiver = receiver().await;
        let mut report = sample::analyzed();
        receiver.trouble(Trouble::Status(status, None));
        let error = bring(&receiver, &mut report).await.expect_err("it refuses");
        assert_eq!((error.verdict, error.reason.as_ref()), (Verdict::Retry { after: None }, "target-refuses"));
        let text = format!("{error:#}");
        for secret in ["393501234567", "invoice", "https://calls.example.test", "Mario"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
        bring(&receiver, &mut report).await.expect("it was mended");
    }
}

#[tokio::test]
async fn a_receiver_that_is_gone_for_good_needs_a_person() {
    let receiver = receiver().await;
    receiver.sandbox.fault(Fault::status(Vendor::Target, 410).times(1));
    let error = bring(&receiver, &mut sample::analyzed()).await.expect_err("it is gone");
    assert_eq!((error.verdict, error.reason.as_ref()), (Verdict::Fail, "target-gone"));
}

#[tokio::test]
async fn a_receiver_that_is_down_for_a_while_says_for_how_long() {
    let receiver = receiver().await;
    receiver.sandbox.fault(Fault::status(Vendor::Target, 503).retry_after(90).times(1));
    let error = bring(&receiver, &mut sample::analyzed()).await.expect_err("it is down");
    assert_eq!(error.verdict, Verdict::Snooze { after: std::time::Duration::from_secs(90) });
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let receiver = receiver().await;
    let kind = FaultKind::Status { status: 307, retry_after: None, body: Some(json!("elsewhere")) };
    receiver.sandbox.fault(Fault::new(Vendor::Target, kind).times(1));
    let error = bring(&receiver, &mut sample::started()).await.expect_err("it redirects");
    assert_eq!(error.verdict, Verdict::Retry { after: None });
    assert_eq!(receiver.requests(), 1);
}

#[tokio::test]
async fn any_2xx_will_do() {
    for kind in [FaultKind::Html200, FaultKind::Empty200, FaultKind::CutOff] {
        let receiver = receiver().await;
        receiver.sandbox.fault(Fault::new(Vendor::Target, kind));
        bring(&receiver, &mut sample::started()).await.expect("it says that it was taken");
    }
}

#[test]
fn settings_that_cannot_be_used_are_refused_at_start_without_being_repeated() {
    for (url, secret, named) in [
        ("https://hooks.example.test/in?token=t0ps3cret", "", "TARGET_SECRET"),
        ("hooks.example.test/t0ps3cret", sandbox::TARGET_SECRET, "TARGET_URL"),
    ] {
        let error = format!("{:#}", sink(url, secret).err().expect("it is refused"));
        assert!(error.contains(named) && !error.contains("t0ps3cret"), "{error}");
    }
}
