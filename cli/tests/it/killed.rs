//! One process with everything embedded, killed in the middle of its work.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

use std::path::Path;

use sandbox::{CallMode, Fault, FaultKind, PlaceCall, Sandbox, Vendor};
use serde_json::Value;
use shared::testing::eventually;

use crate::{
    program::{Running, printed, run, tapedeck},
    up::{SECRET, address, settings},
};

/// Longer than the process lives on.
const HANG: u64 = 60_000;

/// The call as a command beside the process shows it; null before it is known.
fn shown(id: &str, directory: &Path, settings: &[(&str, &str)]) -> Value {
    let output = run(&["calls", "show", id, "--json"], directory, settings);
    serde_json::from_slice(&output.stdout).unwrap_or_default()
}

fn is(call: &Value, step: &str, state: &str) -> bool {
    call["jobs"].as_array().is_some_and(|jobs| jobs.iter().any(|job| job["step"] == step && job["state"] == state))
}

fn is_over(call: &Value) -> bool {
    let ended = |job: &Value| matches!(job["state"].as_str(), Some("done" | "skipped"));
    !call["call"]["conclusion"].is_null() && call["jobs"].as_array().is_some_and(|jobs| jobs.iter().all(ended))
}

// The vendors must answer while a command is waited for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_while_it_transcribes_it_goes_on_at_its_next_start() {
    let directory = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let vendors = sandbox.base_urls();
    let settings = settings(
        &vendors,
        &[
            ("CLOUDTALK_API_KEY", "id:secret"),
            ("OPENAI_BASE_URL", &vendors.openai),
            ("OPENAI_API_KEY", "key"),
            ("GHL_BASE_URL", &vendors.ghl),
            ("GHL_API_KEY", "pit-key"),
            ("GHL_LOCATION_ID", "LOC1"),
            ("CALLMIND_BASE_URL", &vendors.callmind),
            ("CALLMIND_TOKEN", "token"),
            ("CALLMIND_AGENT_ID", "agent_1"),
        ],
    );
    let mut up = Running::start(tapedeck(&["up"], directory.path(), &settings));
    let base = format!("http://{}", address(&mut up, "taking webhooks").await);
    let place = async |sample: &str, mode: CallMode| {
        let placed = sandbox.place_call(PlaceCall::new(&base, SECRET, sample).mode(mode)).await.unwrap();
        assert!(placed.answers.iter().all(|answer| answer.status == 200), "{:?}", placed.answers);
        placed.call_id.to_string()
    };
    sandbox.fault(Fault::new(Vendor::Openai, FaultKind::Hang { ms: HANG }).path("/audio"));
    let heard = place("billing", CallMode::EndedWithUrl).await;
    let look = |id: &str| shown(id, directory.path(), &settings);
    eventually("it is being transcribed", async || is(&look(&heard), "transcribe", "running")).await;
    // Of these it has said no more than that they are kept.
    let missed = [place("support", CallMode::Missed).await, place("sales", CallMode::Missed).await];
    assert!(!up.end("-KILL").await);
    assert!(is(&look(&heard), "transcribe", "running"), "nobody tidied up");
    sandbox.clear_faults();

    let mut up = Running::start(tapedeck(&["up"], directory.path(), &settings));
    address(&mut up, "taking webhooks").await;
    let all = [&heard, &missed[0], &missed[1]];
    eventually("everything is done", async || all.iter().all(|id| is_over(&look(id)))).await;
    assert_eq!(look(&heard)["call"]["conclusion"], "analyzed");
    assert_eq!(printed(&run(&["calls", "list", "--json"], directory.path(), &settings)).lines().count(), 3);
    assert!(up.end("-TERM").await);

    let state = sandbox.state();
    let notes: Vec<_> = state.ghl.contacts.iter().flat_map(|contact| &contact.notes).map(|note| &note.body).collect();
    for id in all {
        let of_kind = |kind| notes.iter().filter(|note| note.starts_with(kind) && note.contains(id.as_str())).count();
        let feedback = usize::from(*id == heard);
        assert_eq!((of_kind("[CloudTalk] "), of_kind("[CloudTalk Feedback] ")), (1, feedback), "{notes:#?}");
        let records = state.callmind.records.iter().filter(|record| record.fields["callSid"] == **id).count();
        assert_eq!(records, 1, "one record of each");
    }
    assert_eq!(state.openai.chats, 1, "judged once");
}
