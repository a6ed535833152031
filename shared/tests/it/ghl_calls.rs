//! Calls in GoHighLevel's conversations, and the contacts of calls, against the sandbox.

use futures::future::join_all;
use sandbox::{Fault, FaultKind, Message, Sandbox, Vendor};
use shared::{
    budgets::Budgets,
    clock::Clock,
    domain::{CallStatus, Direction, Milestone},
    env::Env,
    http::Outside,
    locks::Locks,
    sinks::{Sink, gohighlevel::GoHighLevel, sample},
    testing::{Scratch, Shape},
};

use crate::outside;

fn env(sandbox: &Sandbox, settings: &[(&str, &str)]) -> Env {
    let base_url = sandbox.base_urls().ghl;
    let usual = [("GHL_API_KEY", "pit-test"), ("GHL_LOCATION_ID", "LOC1"), ("GHL_BASE_URL", base_url.as_str())];
    Env::from_pairs(usual).with(settings.iter().copied())
}

async fn crm(settings: &[(&str, &str)]) -> (Sandbox, GoHighLevel) {
    let sandbox = Sandbox::start(outside::anywhere()).await.expect("a free port");
    let env = env(&sandbox, settings);
    let sink = GoHighLevel::from_env(&env, &outside::impatient()).expect("good settings").expect("it is configured");
    (sandbox, sink)
}

fn logged(sandbox: &Sandbox) -> Vec<Message> {
    sandbox.state().ghl.conversations.into_iter().flat_map(|conversation| conversation.messages).collect()
}

#[tokio::test]
async fn a_call_is_logged_once_with_its_recording_in_the_conversation_of_its_contact() {
    let (sandbox, sink) = crm(&[("GHL_CALL_LOG", "provider"), ("GHL_CONVERSATION_PROVIDER_ID", "prov")]).await;
    let mut report = sample::ended();
    report.held = sink.deliver(&report).await.expect("the CRM is well");
    assert!(logged(&sandbox).is_empty(), "a recording is expected");
    let held = std::mem::take(&mut report.held);
    report = sample::analyzed();
    report.held = held;
    let brought = sink.deliver(&report).await.expect("the CRM is well");
    let [message] = &logged(&sandbox)[..] else { panic!("one message") };
    assert_eq!(message.direction, "outbound");
    assert_eq!(message.fields["altId"], "cloudtalk:123456");
    assert_eq!(message.fields["call"]["to"], "+393501234567");
    assert_eq!(message.fields["call"]["status"], "completed");
    assert_eq!(message.fields["attachments"][0].as_str(), report.recording_link.as_deref());
    report.held.retain(|held| brought.iter().all(|new| new.milestone != held.milestone));
    report.held.extend(brought);
    sink.deliver(&report).await.expect("nothing to do");
    assert_eq!(logged(&sandbox).len(), 1);
}

#[tokio::test]
async fn a_logged_call_whose_answer_was_lost_is_found_and_not_logged_again() {
    let (sandbox, sink) = crm(&[("GHL_CALL_LOG", "provider"), ("GHL_CONVERSATION_PROVIDER_ID", "prov")]).await;
    sandbox.fault(Fault::new(Vendor::Ghl, FaultKind::ReplyLost).path("/conversations/messages/").times(1));
    let mut report = sample::analyzed();
    sink.deliver(&report).await.expect_err("the answer was lost");
    report.maybe_written = true;
    sink.deliver(&report).await.expect("the CRM is well again");
    assert_eq!(logged(&sandbox).len(), 1);
}

#[tokio::test]
async fn an_answer_without_a_message_is_no_success() {
    let (sandbox, sink) = crm(&[("GHL_CALL_LOG", "provider"), ("GHL_CONVERSATION_PROVIDER_ID", "prov")]).await;
    let nothing = Fault::status(Vendor::Ghl, 201).body(serde_json::json!({})).path("/conversations/messages/");
    sandbox.fault(nothing.times(1));
    assert!(sink.deliver(&sample::analyzed()).await.is_err());
}

#[tokio::test]
async fn a_conversation_that_refuses_the_call_keeps_nothing_else_from_the_contact() {
    for status in [403, 404] {
        let (sandbox, sink) = crm(&[("GHL_CALL_LOG", "provider"), ("GHL_CONVERSATION_PROVIDER_ID", "prov")]).await;
        sandbox.fault(Fault::status(Vendor::Ghl, status).path("/conversations"));
        let mut report = sample::ended();
        report.call.facts.status = Some(CallStatus::Missed);
        report.recording_link = None;
        sink.deliver(&report).await.expect("all else is written");
        let state = sandbox.state().ghl;
        assert_eq!((state.contacts.len(), state.contacts[0].notes.len()), (1, 1), "{status}");
        assert!(!state.contacts[0].contact.tags.is_empty(), "{status}");
        assert!(!sandbox.asked(Vendor::Ghl, "/conversations").is_empty(), "{status}: it was tried");
        assert!(logged(&sandbox).is_empty(), "{status}");
    }
}

#[tokio::test]
async fn a_workflow_is_started_for_a_missed_call_and_gets_what_it_can_log() {
    let sandbox = Sandbox::start(outside::anywhere()).await.expect("a free port");
    let url = format!("{}/hooks/LOC1/webhook-trigger/abc", sandbox.base_urls().ghl);
    let env = env(&sandbox, &[("GHL_CALL_LOG", "workflow"), ("GHL_CALL_LOG_URL", url.as_str())]);
    let sink = GoHighLevel::from_env(&env, &outside::impatient()).expect("good settings").expect("it is configured");
    let mut report = sample::ended();
    report.recording_link = None;
    report.call.facts.status = Some(CallStatus::Missed);
    report.call.facts.direction = Some(Direction::Inbound);
    report.held = sink.deliver(&report).await.expect("the CRM is well");
    sink.deliver(&report).await.expect("nothing to do");
    let state = sandbox.state().ghl;
    let [started] = &state.triggered[..] else { panic!("one start, not {}", state.triggered.len()) };
    assert_eq!((&started["status"], &started["direction"]), (&"no-answer".into(), &"inbound".into()));
    assert_eq!((&started["phone"], &started["from"]), (&"+393501234567".into(), &"+393501234567".into()));
    assert_eq!(started["contact_id"], state.contacts[0].contact.id);
}

#[tokio::test]
async fn a_workflow_that_has_moved_was_not_started() {
    let sandbox = Sandbox::start(outside::anywhere()).await.expect("a free port");
    let url = format!("{}/hooks/LOC1/webhook-trigger/abc", sandbox.base_urls().ghl);
    let env = env(&sandbox, &[("GHL_CALL_LOG", "workflow"), ("GHL_CALL_LOG_URL", url.as_str())]);
    let sink = GoHighLevel::from_env(&env, &outside::impatient()).expect("good settings").expect("it is configured");
    sandbox.fault(Fault::status(Vendor::Ghl, 307).path("/hooks/").times(1));
    let mut report = sample::ended();
    report.recording_link = None;
    report.call.facts.status = Some(CallStatus::Missed);
    sink.deliver(&report).await.expect_err("it is elsewhere");
    assert!(sandbox.state().ghl.triggered.is_empty());
}

#[tokio::test]
async fn a_way_to_log_calls_that_lacks_what_it_needs_stops_the_start() {
    let sandbox = Sandbox::start(outside::anywhere()).await.expect("a free port");
    for (mode, missing) in
        [("provider", "GHL_CONVERSATION_PROVIDER_ID"), ("workflow", "GHL_CALL_LOG_URL"), ("x", "GHL_CALL_LOG")]
    {
        let refused = GoHighLevel::from_env(&env(&sandbox, &[("GHL_CALL_LOG", mode)]), &outside::impatient());
        assert!(refused.err().expect("a missing setting").to_string().contains(missing));
    }
}

#[tokio::test]
async fn a_number_that_calls_often_is_looked_up_once_and_again_when_its_contact_is_gone() {
    let (sandbox, sink) = crm(&[]).await;
    let report = |call: &str| {
        let mut report = sample::ended();
        report.call.facts.provider_call_id = Some(call.into());
        report
    };
    sink.deliver(&report("1")).await.expect("the CRM is well");
    sandbox.clear_ledger();
    sink.deliver(&report("2")).await.expect("the CRM is well");
    assert_eq!(sandbox.asked(Vendor::Ghl, "/contacts/search").len(), 0);
    sandbox.fault(Fault::status(Vendor::Ghl, 404).path("/notes").times(1));
    let brought = sink.deliver(&report("3")).await.expect("it is looked for again");
    assert!(!sandbox.asked(Vendor::Ghl, "/contacts/search").is_empty());
    assert!(brought.iter().any(|delivery| delivery.milestone == Milestone::Ended));
    assert_eq!(sandbox.state().ghl.contacts.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_of_one_new_number_at_the_same_time_make_one_contact_even_where_duplicates_are_allowed() {
    let sandbox = Sandbox::start(outside::anywhere()).await.expect("a free port");
    sandbox.switch(|switches| switches.ghl_duplicates = true);
    let scratch = Scratch::new(Shape::Production).await;
    let (db, clock) = (scratch.db().await, Clock::system());
    let process = || {
        let outside = Outside::new(Budgets::unlimited(), clock.clone()).expect("the machine has TLS");
        let outside = outside.with_locks(Locks::new(db.clone(), clock.clone()));
        GoHighLevel::from_env(&env(&sandbox, &[]), &outside).expect("good settings").expect("it is configured")
    };
    let processes: Vec<_> = (0..6).map(|_| process()).collect();
    let done = join_all(processes.iter().enumerate().map(async |(n, sink)| {
        let mut report = sample::ended();
        report.call.facts.provider_call_id = Some(n.to_string());
        sink.deliver(&report).await.is_ok()
    }))
    .await;
    assert!(done.contains(&true), "and the others come back later");
    assert_eq!(sandbox.state().ghl.contacts.len(), 1);
}
