//! Circuits and limits, as several processes share them.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use chrono::DateTime;
use sandbox::{Rate, Sandbox, Vendor};
use shared::{
    budgets::{Budgets, Limit, OPEN_AFTER, Wait, Why},
    clock::Clock,
    domain::Phone,
    env::Env,
    http::{ErrorKind, Outside},
    providers::cloudtalk,
    sinks::gohighlevel,
    telemetry::metrics,
    testing::{Scratch, Shape},
};

use crate::outside::anywhere;

/// Milliseconds since 1970, moved by hand.
#[derive(Clone)]
struct Hand(Arc<AtomicI64>);

impl Hand {
    fn new() -> Self {
        Self(Arc::new(AtomicI64::new(1_800_000_000_000)))
    }

    fn clock(&self, ahead_ms: i64) -> Clock {
        let hand = self.clone();
        Clock::from_fn(move || {
            DateTime::from_timestamp_millis(hand.0.load(Ordering::SeqCst) + ahead_ms).expect("a time")
        })
    }

    fn forward(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1000, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn what_fails_together_pauses_a_vendor_for_moments_and_each_failed_probe_for_longer() {
    let scratch = Scratch::new(Shape::Embedded).await;
    let hand = Hand::new();
    let budgets = Budgets::new(scratch.db().await, hand.clock(0));
    for _ in 0..50 {
        budgets.admit("crm", None).await.unwrap();
    }
    for _ in 0..50 {
        budgets.failed("crm").await;
    }
    let wait = Wait { why: Why::Circuit, time: Duration::from_secs(5) };
    assert_eq!(budgets.admit("crm", None).await, Err(wait), "one blip, however many saw it");
    let mut longest = Duration::ZERO;
    for _ in 0..9 {
        hand.forward(301);
        budgets.admit("crm", None).await.expect("a probe");
        let meanwhile = budgets.admit("crm", None).await.unwrap_err().time;
        budgets.failed("crm").await;
        let pause = budgets.admit("crm", None).await.unwrap_err().time;
        assert!(pause >= meanwhile && pause >= longest && pause <= Duration::from_secs(300), "{pause:?}");
        longest = pause;
    }
    assert_eq!(longest, Duration::from_secs(300));
    hand.forward(301);
    budgets.admit("crm", None).await.expect("a probe");
    budgets.succeeded("crm").await;
    budgets.admit("crm", None).await.expect("closed again");
}

#[tokio::test]
async fn a_wait_says_whose_word_it_is_and_is_counted_once() {
    metrics::install();
    let scratch = Scratch::new(Shape::Embedded).await;
    let hand = Hand::new();
    let (db, clock) = (scratch.db().await, hand.clock(0));
    let budgets = Budgets::new(db.clone(), clock.clone());
    // One at once, and one more 0.7 s later: on a clock that stands still a call looks three times before it gives up.
    let limit = Limit::new(4, Duration::from_millis(2100));
    budgets.admit("ours", limit).await.unwrap();
    assert_eq!(budgets.admit("ours", limit).await.unwrap_err().why, Why::Budget);
    budgets.pause("theirs", Duration::from_secs(37)).await;
    let asked = Wait { why: Why::Paused, time: Duration::from_secs(37) };
    assert_eq!(budgets.admit("theirs", limit).await, Err(asked));
    for _ in 0..OPEN_AFTER {
        budgets.failed("nobodys").await;
    }
    assert_eq!(budgets.admit("nobodys", limit).await.unwrap_err().why, Why::Circuit);
    let told = metrics::render();
    for (vendor, why) in [("ours", "budget"), ("theirs", "paused"), ("nobodys", "circuit")] {
        let line = format!("tapedeck_budget_waits_total{{vendor=\"{vendor}\",why=\"{why}\"}} 1\n");
        assert!(told.contains(&line), "{line} is not in {told}");
    }
    let held = Budgets::held(&db, &clock).await.unwrap();
    let held: Vec<_> = held.iter().map(|held| (held.vendor.as_str(), held.why)).collect();
    assert_eq!(held, [("nobodys", Why::Circuit), ("theirs", Why::Paused)]);
}

#[tokio::test]
async fn a_probe_that_never_reports_is_followed_by_another() {
    let scratch = Scratch::new(Shape::Embedded).await;
    let hand = Hand::new();
    let budgets = Budgets::new(scratch.db().await, hand.clock(0));
    for _ in 0..OPEN_AFTER {
        budgets.failed("crm").await;
    }
    for _ in 0..3 {
        hand.forward(21);
        budgets.admit("crm", None).await.expect("a probe");
        assert!(budgets.admit("crm", None).await.is_err(), "one at a time");
    }
}

#[tokio::test]
async fn without_a_limit_it_does_not_matter_whose_clock_is_ahead() {
    let scratch = Scratch::new(Shape::Embedded).await;
    let (hand, db) = (Hand::new(), scratch.db().await);
    let (ahead, behind) = (Budgets::new(db.clone(), hand.clock(60_000)), Budgets::new(db, hand.clock(0)));
    ahead.admit("model", None).await.unwrap();
    behind.admit("model", None).await.unwrap();
}

#[tokio::test]
async fn no_window_holds_more_than_the_limit() {
    let scratch = Scratch::new(Shape::Embedded).await;
    let hand = Hand::new();
    let db = scratch.db().await;
    let terms = shared::db::budgets::Terms { burst: 5, interval: 666_666, open_after: 5, probe: Duration::ZERO };
    let mut admitted = Vec::new();
    for step in 0..1200_i64 {
        // Bursts after silence are the hard case.
        let now = hand.clock(step * 37 + (step / 300) * 20_000).now();
        if shared::db::budgets::take(&db, "crm", terms, now).await.unwrap() == shared::db::budgets::Admission::Go {
            admitted.push(now.timestamp_millis());
        }
    }
    let fullest = admitted.iter().map(|from| admitted.iter().filter(|at| (*from..from + 10_000).contains(*at)).count());
    let fullest = fullest.max().unwrap_or_default();
    assert!((18..=20).contains(&fullest), "{fullest}");
}

#[tokio::test]
async fn an_answer_that_says_it_was_the_last_one_pauses_the_vendor_for_all_workers() {
    let sandbox = Sandbox::start(anywhere()).await.unwrap();
    let one = Some(Rate { max: 1, window_ms: 60_000 });
    sandbox.switch(|switches| (switches.cloudtalk, switches.ghl) = (one, one));
    let (scratch, phone) = (Scratch::new(Shape::Embedded).await, Phone::parse("+393500000001").unwrap());
    let (db, vendors) = (scratch.db().await, sandbox.base_urls());
    let env = Env::from_pairs([
        ("CLOUDTALK_API_KEY", "id:secret"),
        ("CLOUDTALK_BASE_URL", &vendors.cloudtalk),
        ("GHL_API_KEY", "pit-key"),
        ("GHL_LOCATION_ID", "LOC1"),
        ("GHL_BASE_URL", &vendors.ghl),
    ]);
    let worker = || Outside::new(Budgets::new(db.clone(), Clock::system()), Clock::system()).unwrap();
    let (here, there) = (worker(), worker());
    let calls = |outside| cloudtalk::Api::from_env(&env, outside).unwrap().unwrap();
    assert_eq!(calls(&here).find_contact(&phone).await.unwrap(), None, "the last one is answered");
    let crm = |outside| gohighlevel::Api::from_env(&env, outside).unwrap().unwrap();
    // It may ask more than once for a contact; only the first is let through.
    let _ = crm(&here).find_contact(&phone).await;
    for (vendor, error) in [
        (Vendor::Cloudtalk, calls(&there).find_contact(&phone).await.unwrap_err()),
        (Vendor::Ghl, crm(&there).find_contact(&phone).await.unwrap_err()),
    ] {
        let long = matches!(error.kind, ErrorKind::HeldBack(Wait { why: Why::Paused, time }) if (50..=60).contains(&time.as_secs()));
        assert!(long, "{vendor:?}: {error:?}");
        let statuses: Vec<_> = sandbox.asked(vendor, "").iter().map(|line| line.status).collect();
        assert_eq!(statuses, [200], "{vendor:?} has to refuse nobody");
    }
}
