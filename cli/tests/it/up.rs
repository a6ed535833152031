//! Everything in one process, and the commands beside it.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

use sandbox::BaseUrls;
use shared::{budgets::Budgets, clock::Clock, http::Outside, testing::eventually};

use crate::program::{Running, complaint, printed, run, tapedeck};

/// The secret of CloudTalk's webhooks.
pub(crate) const SECRET: &str = "the shared secret";

const SETTINGS: [(&str, &str); 5] = [
    ("TAPEDECK_DATA", "data"),
    ("HOST", "127.0.0.1"),
    ("PORT", "0"),
    ("CONSOLE_PORT", "0"),
    ("CLOUDTALK_WEBHOOK_SECRET", SECRET),
];

/// `up` with the sandbox as CloudTalk, and more.
pub(crate) fn settings<'s>(vendors: &'s BaseUrls, more: &[(&'s str, &'s str)]) -> Vec<(&'s str, &'s str)> {
    [SETTINGS.as_slice(), &[("CLOUDTALK_BASE_URL", vendors.cloudtalk.as_str())], more].concat()
}

/// The address in a log line.
pub(crate) async fn address(up: &mut Running, part: &str) -> String {
    let line: serde_json::Value = serde_json::from_str(&up.line(part).await).unwrap();
    line["address"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn what_comes_in_is_seen_by_the_commands_beside_it() {
    let directory = tempfile::tempdir().unwrap();
    let mut up = Running::start(tapedeck(&["up"], directory.path(), &SETTINGS));
    let address = address(&mut up, "taking webhooks").await;
    let outside = Outside::new(Budgets::unlimited(), Clock::system()).unwrap();
    let url = format!("http://{address}/api/cloudtalk-webhooks/call-ended");
    let body = r#"{"call_id": 1000000001, "call_status": "missed", "external_number": 393500000001}"#;
    let webhook = outside.http.post(url).bearer_auth(SECRET).body(body).send().await.unwrap();
    assert_eq!(webhook.status(), 200);

    let beside = |arguments: &[&str]| run(arguments, directory.path(), &SETTINGS);
    eventually("the call is in the list", async || printed(&beside(&["calls", "list"])).contains("1000000001")).await;
    let line: serde_json::Value = serde_json::from_str(&printed(&beside(&["calls", "list", "--json"]))).unwrap();
    assert_eq!(line["provider_call_id"], "1000000001");
    let call: serde_json::Value =
        serde_json::from_str(&printed(&beside(&["calls", "show", "1000000001", "--json"]))).unwrap();
    assert_eq!(call["call"]["status"], "missed");
    assert!(printed(&beside(&["calls", "show", "1000000001"])).contains("intake"));
    assert!(complaint(&beside(&["calls", "show", "5"])).contains("no call 5"));
    assert!(printed(&beside(&["dead", "list"])).contains("nothing failed for good"));
    assert!(printed(&beside(&["dead", "replay", "--all", "--dry-run"])).contains("would replay 0"));
    assert!(complaint(&beside(&["dead", "replay"])).contains("--all"));

    let second = complaint(&beside(&["up"]));
    assert!(second.contains("TAPEDECK_DATA"), "two at one directory: {second}");
    let (alive, nothing) = (format!("http://{address}/livez"), format!("http://{address}/nothing"));
    printed(&beside(&["probe", &alive, &format!("http://{address}/readyz")]));
    assert!(complaint(&beside(&["probe", &alive, &nothing])).contains("/nothing answered 404"));
    assert!(complaint(&beside(&["probe", &nothing, &alive])).contains("/nothing answered 404"), "each of them counts");
    assert!(up.end("-TERM").await);
    complaint(&beside(&["probe", &format!("http://{address}/readyz")]));
}

#[tokio::test]
async fn an_id_that_two_providers_use_is_shown_once_it_is_said_whose() {
    let directory = tempfile::tempdir().unwrap();
    let settings = [SETTINGS.as_slice(), &[("GENERIC_WEBHOOK_SECRET", SECRET)]].concat();
    let mut up = Running::start(tapedeck(&["up"], directory.path(), &settings));
    let address = address(&mut up, "taking webhooks").await;
    let outside = Outside::new(Budgets::unlimited(), Clock::system()).unwrap();
    for (path, name) in [("/api/cloudtalk-webhooks/call-ended", "Ada"), ("/webhooks/generic", "Bruno")] {
        let body = format!(
            r#"{{"call_id": 4711, "call_status": "missed", "external_number": "393500000001", "contact_name": "{name}"}}"#
        );
        let webhook = outside.http.post(format!("http://{address}{path}")).bearer_auth(SECRET).body(body);
        assert_eq!(webhook.send().await.unwrap().status(), 200, "{path}");
    }
    let beside = |arguments: &[&str]| run(arguments, directory.path(), &settings);
    eventually("both are in the list", async || printed(&beside(&["calls", "list"])).matches("4711").count() == 2)
        .await;
    let complaint = complaint(&beside(&["calls", "show", "4711"]));
    assert!(complaint.contains("cloudtalk:4711, generic:4711"), "{complaint}");
    for (id, name) in [("cloudtalk:4711", "Ada"), ("generic:4711", "Bruno")] {
        assert!(printed(&beside(&["calls", "show", id])).contains(name), "{id}");
    }
    assert!(up.end("-TERM").await);
}
