//! The ledger of paid requests, and the cap that processes share.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use chrono::{DateTime, NaiveDate, Utc};
use shared::{
    clock::Clock,
    db::{self, Db},
    domain::{CallId, Purchase, Step, Verdict},
    env::Env,
    ledger::{Ledger, Purse},
    testing::{Scratch, Shape, eventually},
};

const HEARD: Purchase = Purchase::Audio(60.0);

/// An evening, an hour before midnight.
fn evening() -> DateTime<Utc> {
    "2026-11-20T23:00:00Z".parse().unwrap()
}

/// A clock that is moved by hand, seconds after the evening.
fn clock(after: &Arc<AtomicI64>) -> Clock {
    let after = after.clone();
    Clock::from_fn(move || evening() + chrono::TimeDelta::seconds(after.load(Ordering::SeqCst)))
}

fn ledger(db: &Db, cap: &[(&str, &str)], clock: &Clock) -> Ledger {
    Ledger::from_env(&Env::from_pairs(cap.iter().copied()), db, clock).unwrap()
}

/// A call that money can be spent on.
async fn call(db: &Db) -> CallId {
    let (id, now) = (CallId::new(), evening());
    let sql =
        "insert into calls (id, provider, account, facts, created_at, updated_at) values ($1, 'p', 'a', '{}', $2, $2)";
    match db {
        Db::Postgres(pool) => drop(sqlx::query(sql).bind(id.0).bind(now).execute(pool).await.unwrap()),
        Db::Sqlite(pool) => drop(sqlx::query(sql).bind(id.0).bind(now).execute(pool).await.unwrap()),
    }
    id
}

async fn buy(purse: &Purse, dollars: f64) -> bool {
    match purse.reserve(Some(dollars)).await {
        Ok(held) => {
            held.paid("a-model", HEARD, Some(dollars)).await;
            true
        }
        Err(error) => {
            assert!(matches!(error.verdict, Verdict::Snooze { .. }) && error.reason == "daily-cost-cap", "{error}");
            false
        }
    }
}

async fn a_cap_holds_until_midnight_however_many_spend(shape: Shape) {
    let scratch = Scratch::new(shape).await;
    let (db, after) = (scratch.db().await, Arc::default());
    let clock = clock(&after);
    let call = call(&db).await;
    let purse = || ledger(&db, &[("DAILY_COST_CAP", "1.00")], &clock).purse(call, Step::Transcribe);
    let spenders = (0..30).map(|_| {
        let purse = purse();
        async move { buy(&purse, 0.07).await }
    });
    let bought = futures::future::join_all(spenders).await.into_iter().filter(|bought| *bought).count();
    assert_eq!(bought, 14, "0.98 of a dollar");
    assert!(purse().open(None).await.is_ok() && purse().open(Some(0.02)).await.is_ok(), "two cents are left");
    assert!(purse().open(Some(0.03)).await.is_err(), "and not three");
    assert!(buy(&purse(), 0.02).await, "and can be spent");
    assert!(purse().open(None).await.is_err());
    after.store(3600, Ordering::SeqCst);
    assert!(purse().open(Some(0.07)).await.is_ok() && buy(&purse(), 0.07).await, "a new day");
    let days = db::spending::since(&db, NaiveDate::from_ymd_opt(2026, 11, 20).unwrap()).await.unwrap();
    let days: Vec<_> = days.iter().map(|sum| (sum.day.as_str(), sum.requests, sum.seconds, sum.micros)).collect();
    assert_eq!(days, [("2026-11-20", 15, 900.0, 1_000_000), ("2026-11-21", 1, 60.0, 70_000)]);
}

#[tokio::test]
async fn a_cap_holds_until_midnight_on_postgres() {
    a_cap_holds_until_midnight_however_many_spend(Shape::Production).await;
}

#[tokio::test]
async fn a_cap_holds_until_midnight_on_sqlite() {
    a_cap_holds_until_midnight_however_many_spend(Shape::Embedded).await;
}

#[tokio::test]
async fn what_was_reserved_is_given_back_when_less_was_paid_or_nothing() {
    let scratch = Scratch::new(Shape::Embedded).await;
    let db = scratch.db().await;
    let capped = ledger(&db, &[("DAILY_COST_CAP", "1")], &clock(&Arc::default()));
    let purse = capped.purse(call(&db).await, Step::Analyze);
    let held = purse.reserve(Some(0.9)).await.unwrap();
    assert!(purse.reserve(Some(0.2)).await.is_err(), "it may all be needed");
    held.paid("a-model", Purchase::Tokens { input: 10, output: 2 }, Some(0.1)).await;
    let held = purse.reserve(Some(0.9)).await.unwrap();
    held.released().await;
    assert!(purse.reserve(Some(0.9)).await.is_ok());
}

async fn spent(db: &Db) -> i64 {
    db::spending::spent(db, "2026-11-20").await.unwrap()
}

#[tokio::test]
async fn what_was_never_sent_is_given_back_when_nobody_waits_for_it_any_more() {
    let scratch = Scratch::new(Shape::Embedded).await;
    let db = scratch.db().await;
    let capped = ledger(&db, &[("DAILY_COST_CAP", "1")], &clock(&Arc::default()));
    let purse = capped.purse(call(&db).await, Step::Analyze);
    drop(purse.reserve(Some(0.9)).await.unwrap());
    eventually("it is given back", async || spent(&db).await == 0).await;
    let mut held = purse.reserve(Some(0.4)).await.unwrap();
    held.sent();
    drop(held);
    // Whatever was given back is written down before this.
    purse.reserve(Some(0.1)).await.unwrap().released().await;
    assert_eq!(spent(&db).await, 400_000, "what was sent stays counted");
    assert!(purse.reserve(Some(0.7)).await.is_err());
    // Stopped while they were set aside, at whatever moment.
    for _ in 0..10 {
        drop(futures::poll!(std::pin::pin!(purse.reserve(Some(0.05)))));
    }
    eventually("all but what was sent can be spent", async || purse.reserve(Some(0.6)).await.is_ok()).await;
}

#[tokio::test]
async fn a_request_that_no_day_can_pay_needs_a_person() {
    let scratch = Scratch::new(Shape::Embedded).await;
    let db = scratch.db().await;
    let call = call(&db).await;
    let refused = async |cap: &str| {
        let purse = ledger(&db, &[("DAILY_COST_CAP", cap)], &clock(&Arc::default())).purse(call, Step::Analyze);
        let error = purse.reserve(Some(1.5)).await.err().unwrap();
        (error.verdict, error.reason.into_owned())
    };
    assert_eq!(refused("1").await, (Verdict::Fail, "request-over-daily-cap".to_owned()));
    assert_eq!(refused("0").await.1, "daily-cost-cap", "a cap of nothing is a pause");
}

#[tokio::test]
async fn a_price_that_is_not_known_is_not_nothing() {
    let scratch = Scratch::new(Shape::Embedded).await;
    let db = scratch.db().await;
    let call = call(&db).await;
    let purse = ledger(&db, &[], &clock(&Arc::default())).purse(call, Step::Transcribe);
    for dollars in [None, Some(0.006)] {
        purse.reserve(dollars).await.unwrap().paid("a-model", HEARD, dollars).await;
    }
    let sums = db::spending::of(&db, call).await.unwrap();
    let [sum] = sums.as_slice() else { panic!("{sums:?}") };
    assert_eq!((sum.requests, sum.unpriced, sum.micros), (2, 1, 6000));
}

#[test]
fn a_cap_that_is_no_amount_is_refused_by_name() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let scratch = Scratch::new(Shape::Embedded).await;
        let env = Env::from_pairs([("DAILY_COST_CAP", "-3")]);
        let refused = Ledger::from_env(&env, &scratch.db().await, &Clock::system()).err().unwrap();
        assert!(refused.to_string().contains("DAILY_COST_CAP"), "{refused}");
    });
}
