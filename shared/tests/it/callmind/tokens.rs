//! Tokens that expire, and whose record a call becomes.

use std::path::Path;

use futures::future::join_all;
use sandbox::Sandbox;
use shared::{
    domain::{Call, CallId, Milestone, Report, Verdict},
    env::Env,
    sinks::{Sink, callmind::Callmind, sample},
};

use super::{outside, sink_with};

/// A Callmind whose tokens are good for so many requests.
async fn forgetful(requests: u32) -> Sandbox {
    let sandbox = Sandbox::start(outside::anywhere()).await.expect("a free port");
    sandbox.switch(|switches| switches.callmind_token_requests = Some(requests));
    sandbox
}

/// A command that prints another token each time it is run, and counts in this file how often that was.
fn counting(file: &Path) -> String {
    format!("echo run >> {0}; echo token-$(wc -l < {0} | tr -d ' ')", file.display())
}

fn runs(file: &Path) -> usize {
    std::fs::read_to_string(file).map_or(0, |text| text.lines().count())
}

fn call_numbered(number: usize) -> Report {
    let mut report = sample::analyzed();
    report.call = Call { id: CallId::new(), ..report.call };
    report.call.facts.provider_call_id = Some(format!("call-{number}"));
    report
}

#[tokio::test]
async fn an_expired_token_is_fetched_anew_by_its_command_and_the_request_goes_through() {
    let sandbox = forgetful(1).await;
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("runs");
    let sink = sink_with(&sandbox.base_urls().callmind, "one-step", &[("CALLMIND_TOKEN_COMMAND", &counting(&file))]);
    for number in 0..3 {
        sink.deliver(&call_numbered(number)).await.expect("each token is good for one record");
    }
    assert_eq!(sandbox.state().callmind.records.len(), 3);
    assert_eq!(runs(&file), 3, "a token is kept until it is refused");
}

#[tokio::test]
async fn jobs_that_find_the_token_expired_at_the_same_moment_fetch_one_between_them() {
    let sandbox = forgetful(20).await;
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("runs");
    let sink = sink_with(&sandbox.base_urls().callmind, "one-step", &[("CALLMIND_TOKEN_COMMAND", &counting(&file))]);
    let deliver = |number| {
        let (sink, report) = (&sink, call_numbered(number));
        async move { sink.deliver(&report).await }
    };
    let first = join_all((0..20).map(deliver)).await;
    let then = join_all((20..32).map(deliver)).await;
    assert!(first.into_iter().chain(then).all(|delivered| delivered.is_ok()));
    assert_eq!(sandbox.state().callmind.records.len(), 32);
    assert_eq!(runs(&file), 2);
}

#[tokio::test]
async fn a_token_file_is_read_again_and_until_it_has_a_newer_one_the_job_waits() {
    let sandbox = forgetful(1).await;
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("token");
    let setting = file.display().to_string();
    let sink = sink_with(&sandbox.base_urls().callmind, "one-step", &[("CALLMIND_TOKEN_FILE", &setting)]);
    let refused = sink.deliver(&call_numbered(0)).await.expect_err("there is no file yet");
    assert_eq!((refused.verdict, refused.reason.as_ref()), (Verdict::Retry { after: None }, "no-credentials"));
    std::fs::write(&file, "first\n").expect("it can be written");
    sink.deliver(&call_numbered(0)).await.expect("the file holds a token now");
    let refused = sink.deliver(&call_numbered(1)).await.expect_err("the token in the file has expired");
    assert_eq!((refused.verdict, refused.reason.as_ref()), (Verdict::Retry { after: None }, "no-credentials"));
    assert!(!format!("{refused:#}").contains("first"), "the token is in the error");
    std::fs::write(&file, "second\n").expect("it can be written");
    sink.deliver(&call_numbered(1)).await.expect("the newer token is taken");
    assert_eq!(sandbox.state().callmind.records.len(), 2);
}

#[tokio::test]
async fn a_new_token_that_is_refused_too_is_waited_out() {
    let sandbox = forgetful(0).await;
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("runs");
    let sink = sink_with(&sandbox.base_urls().callmind, "one-step", &[("CALLMIND_TOKEN_COMMAND", &counting(&file))]);
    let refused = sink.deliver(&call_numbered(0)).await.expect_err("no token is good");
    assert_eq!((refused.verdict, refused.reason.as_ref()), (Verdict::Retry { after: None }, "no-credentials"));
    assert_eq!((runs(&file), sandbox.ledger().len()), (2, 2), "once anew, and not over and over");
}

#[tokio::test]
async fn a_command_that_fails_is_tried_again_and_says_nothing_of_its_secrets() {
    let sandbox = forgetful(1).await;
    for command in ["echo s3cret >&2; exit 3", "true", "echo two words", "sleep 1; kill -9 $$"] {
        let sink = sink_with(&sandbox.base_urls().callmind, "one-step", &[("CALLMIND_TOKEN_COMMAND", command)]);
        let failed = sink.deliver(&call_numbered(0)).await.expect_err("there is no token");
        assert_eq!(failed.verdict, Verdict::Retry { after: None }, "{command}");
        assert!(!format!("{failed:#}").contains("s3cret") && !format!("{failed:#}").contains("words"), "{failed:#}");
    }
    assert!(sandbox.ledger().is_empty(), "nothing was sent without a token");
}

#[tokio::test]
async fn the_record_is_the_mapped_agents_and_nobody_elses_where_there_is_no_default() {
    let sandbox = forgetful(10).await;
    let mapping = r#"{"roberto@example.test": {"agentId": "agent_roberto", "orgId": "org_sales"}}"#;
    let env = Env::from_pairs([
        ("CALLMIND_BASE_URL", sandbox.base_urls().callmind.as_str()),
        ("CALLMIND_TOKEN", "a-token"),
        ("CALLMIND_AGENTS", mapping),
    ]);
    let sink = Callmind::from_env(&env, &outside::impatient()).expect("good settings").expect("it is configured");
    let unmapped = call_numbered(0);
    assert!(!sink.wants(Milestone::Analyzed, &unmapped.call));
    assert_eq!(sink.deliver(&unmapped).await.expect("nothing is wrong"), []);
    let mut mapped = call_numbered(1);
    mapped.call.facts.agent.email = Some("Roberto@example.test".into());
    assert!(sink.wants(Milestone::Analyzed, &mapped.call));
    sink.deliver(&mapped).await.expect("Callmind is well");
    let records = sandbox.state().callmind.records;
    let [record] = &records[..] else { panic!("one record") };
    assert_eq!((&record.fields["agentId"], &record.fields["orgId"]), (&"agent_roberto".into(), &"org_sales".into()));
    assert!(record.fields.get("userId").is_none());
}
