//! `calls reanalyze` beside a process that works.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

use sandbox::{CallMode, Fault, PlaceCall, Sandbox, Vendor};
use shared::testing::eventually;

use crate::{
    program::{Running, complaint, printed, run, tapedeck},
    up::{SECRET, address, settings},
};

// The vendors must answer while a command that waits for them is waited for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn feedback_is_made_anew_beside_the_workers_and_the_command_says_how_far_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let vendors = sandbox.base_urls();
    let settings = settings(
        &vendors,
        &[("CLOUDTALK_API_KEY", "id:secret"), ("OPENAI_BASE_URL", vendors.openai.as_str()), ("OPENAI_API_KEY", "key")],
    );
    let mut up = Running::start(tapedeck(&["up"], directory.path(), &settings));
    let base = format!("http://{}", address(&mut up, "taking webhooks").await);
    let placed =
        sandbox.place_call(PlaceCall::new(&base, SECRET, "billing").mode(CallMode::EndedWithUrl)).await.unwrap();
    let id = placed.call_id.to_string();

    let beside = |arguments: &[&str]| run(&[&["calls", "reanalyze"], arguments].concat(), directory.path(), &settings);
    eventually("the call is analyzed", async || {
        printed(&beside(&["--conclusion", "analyzed", "--dry-run"])).contains("1 to")
    })
    .await;
    assert!(printed(&beside(&["--outdated", "--dry-run"])).starts_with("0 to reanalyze"));
    let chats = sandbox.state().openai.chats;
    assert!(printed(&beside(&[&id, "--dry-run"])).starts_with("1 to reanalyze; the last time it cost 0.000"));
    assert_eq!(sandbox.state().openai.chats, chats);

    let done = printed(&beside(&[&id]));
    assert!(done.contains("1 to reanalyze") && done.contains("1 of 1 done"), "{done}");
    assert_eq!(sandbox.state().openai.chats, chats + 1);

    let changed = [settings.as_slice(), &[("FEEDBACK_MODEL", "gpt-6.1-terra")]].concat();
    let outdated = run(&["calls", "reanalyze", "--outdated", "--dry-run"], directory.path(), &changed);
    assert!(printed(&outdated).starts_with("1 to reanalyze"));
    assert!(complaint(&beside(&[])).contains("--outdated"), "all of them only when that is said");
    assert!(complaint(&beside(&["5"])).contains("no call 5"));
    assert!(up.end("-TERM").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_calls_it_counts_what_is_done_and_what_failed() {
    let directory = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let vendors = sandbox.base_urls();
    let settings = settings(
        &vendors,
        &[("OPENAI_BASE_URL", vendors.openai.as_str()), ("OPENAI_API_KEY", "key"), ("FEEDBACK_MODEL", "gpt-4o-mini")],
    );
    let mut up = Running::start(tapedeck(&["up"], directory.path(), &settings));
    let warned = up.line("this model is switched off").await;
    assert!(warned.contains("gpt-4o-mini") && warned.contains("WARN"), "at start: {warned}");
    let base = format!("http://{}", address(&mut up, "taking webhooks").await);
    for sample in ["billing", "sales", "support"] {
        sandbox.place_call(PlaceCall::new(&base, SECRET, sample).mode(CallMode::EndedWithUrl)).await.unwrap();
    }
    let analyzed = ["calls", "reanalyze", "--conclusion", "analyzed"];
    let beside = |more: &[&str]| run(&[&analyzed, more].concat(), directory.path(), &settings);
    eventually("the calls are analyzed", async || printed(&beside(&["--dry-run"])).contains("3 to")).await;

    let done = printed(&beside(&["--at-once", "1"]));
    let lines: Vec<_> = done.lines().filter(|line| line.contains(" of 3 done")).collect();
    assert!(lines.len() > 1, "it says how far it is: {done}");
    assert_eq!(lines.last(), Some(&"3 of 3 done"));

    sandbox.fault(Fault::status(Vendor::Openai, 401).path("/chat/completions").times(1));
    let failed = beside(&["--at-once", "1"]);
    let text = String::from_utf8_lossy(&failed.stdout).into_owned();
    assert!(complaint(&failed).contains("1 failed for good: tapedeck dead show --queue analyze"));
    assert_eq!(text.lines().last(), Some("2 of 3 done, 1 failed"), "{text}");
    assert!(up.end("-TERM").await);
}
