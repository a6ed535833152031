//! The first thing that people try.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

use crate::program::{Running, printed, tapedeck};

#[test]
fn the_demo_shows_what_the_crm_received_and_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().display().to_string();
    let demo = || tapedeck(&["demo", "--exit"], directory.path(), &[("TMPDIR", &path)]).spawn().unwrap();
    // Two at once: each finds ports of its own.
    let demos = [demo(), demo()];
    for demo in demos {
        let text = printed(&demo.wait_with_output().unwrap());
        assert!(text.contains("SIMULATED"), "{text}");
        for part in [
            "[CloudTalk] Call completed",
            "📼 Recording: Available - 🔗 http://127.0.0.1:",
            "💬 Transcript:",
            "Agent: ",
            "Callmind, record",
            "collectedData",
            " call pbx-1.support ",
            "Dana Example, number 12025550186, tags lead",
            "note: [GoHighLevel] Asked for a quote",
            "email dana@example.com, tags lead vip",
        ] {
            assert!(text.contains(part), "{part} is missing:\n{text}");
        }
        for call in 1_000_000_001..=1_000_000_004_u64 {
            assert!(text.contains(&format!(" call {call} ")), "{call} is missing:\n{text}");
        }
        assert!(!text.contains("dead"), "{text}");
    }
    let left: Vec<_> = std::fs::read_dir(directory.path()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn the_demo_leaves_the_api_up_until_it_is_stopped() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().display().to_string();
    let mut demo = Running::start(tapedeck(&["demo"], directory.path(), &[("TMPDIR", &path)]));
    let curl = demo.line("/calls").await;
    let (token, url) = (between(&curl, "Bearer ", "'"), curl.split_whitespace().last().unwrap());
    let request = http().get(url).bearer_auth(token);
    let answer: serde_json::Value = serde_json::from_str(&request.send().await.unwrap().text().await.unwrap()).unwrap();
    for provider in ["cloudtalk", "twilio", "elevenlabs", "generic"] {
        assert!(answer["calls"].as_array().unwrap().iter().any(|call| call["provider"] == provider), "{answer}");
    }
    assert!(demo.end("-INT").await);
}

fn between<'t>(text: &'t str, before: &str, after: &str) -> &'t str {
    text.split_once(before).unwrap().1.split_once(after).unwrap().0
}

fn http() -> reqwest::Client {
    shared::http::Outside::new(shared::budgets::Budgets::unlimited(), shared::clock::Clock::system()).unwrap().http
}
