//! Rate limits and circuits of vendors. Times are microseconds since 1970, so that the arithmetic is the same in both
//! databases.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::Db;

/// Under what terms a call is admitted.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// Calls that may come at once; 0 for no limit.
    pub burst: i64,
    /// Microseconds between calls after that.
    pub interval: i64,
    /// Failures in a row that open the circuit.
    pub open_after: i64,
    /// How long one prober keeps the others waiting.
    pub probe: Duration,
}

/// Whether a call may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Yes.
    Go,
    /// Yes, and the outcome decides whether the circuit closes.
    Probe,
    /// No.
    Wait(Wait),
}

/// How long a vendor is not to be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    /// What for.
    pub why: Why,
    /// From now.
    pub time: Duration,
}

/// Whose word it is that a vendor is not to be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Ours: our own rate limit for it is used up.
    Budget,
    /// The vendor's: it asked to be left alone.
    Paused,
    /// Nobody's: it kept failing, and its circuit is open.
    Circuit,
}

impl Why {
    /// In metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Budget => "budget",
            Self::Paused => "paused",
            Self::Circuit => "circuit",
        }
    }

    const fn of_pause(failures: i64, open_after: i64) -> Self {
        if failures >= open_after { Self::Circuit } else { Self::Paused }
    }
}

/// A vendor that all workers leave alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The vendor.
    pub vendor: String,
    /// Why; never our own budget, which is over in moments.
    pub why: Why,
    /// Until then.
    pub until: DateTime<Utc>,
}

/// Takes one call's worth.
///
/// # Errors
/// When the database is away.
pub async fn take(db: &Db, vendor: &str, terms: Terms, now: DateTime<Utc>) -> sqlx::Result<Admission> {
    let micros = now.timestamp_micros();
    let probe_until = micros + i64::try_from(terms.probe.as_micros()).unwrap_or(i64::MAX / 2);
    // The row is only changed where the call is admitted; an open circuit whose pause is over admits one and pauses again.
    // A probe counts as failed until it succeeds.
    let sql = "insert into budgets (vendor, tat, failures, paused_until) values ($1, $2 + $3, 0, 0)
        on conflict (vendor) do update set
            tat = (case when budgets.tat > $2 then budgets.tat else $2 end) + $3,
            failures = case when budgets.failures >= $5 then budgets.failures + 1 else budgets.failures end,
            paused_until = case when budgets.failures >= $5 then $6 else budgets.paused_until end
        where budgets.paused_until <= $2 and budgets.tat - $2 <= $4
        returning failures";
    // Without a limit it must not matter whose clock is ahead.
    let slack = if terms.interval == 0 { i64::MAX / 2 } else { (terms.burst - 1).max(0) * terms.interval };
    let admitted: Option<i64> = on!(db, c => {
        let query = sqlx::query_scalar(sql).bind(vendor).bind(micros).bind(terms.interval);
        query.bind(slack).bind(terms.open_after).bind(probe_until).fetch_optional(c).await
    })?;
    match admitted {
        Some(failures) if failures >= terms.open_after => Ok(Admission::Probe),
        Some(_) => Ok(Admission::Go),
        None => {
            let sql = "select tat, paused_until, failures from budgets where vendor = $1";
            let (tat, paused_until, failures): (i64, i64, i64) =
                on!(db, c => sqlx::query_as(sql).bind(vendor).fetch_one(c).await)?;
            let (paused, limited) = (paused_until - micros, tat - micros - slack);
            let why = if limited > paused { Why::Budget } else { Why::of_pause(failures, terms.open_after) };
            let time = Duration::from_micros(paused.max(limited).max(1_000).unsigned_abs());
            Ok(Admission::Wait(Wait { why, time }))
        }
    }
}

/// The vendors that are paused, or whose circuit is open.
///
/// # Errors
/// When the database is away.
pub async fn held(db: &Db, open_after: i64, now: DateTime<Utc>) -> sqlx::Result<Vec<Held>> {
    let sql = "select vendor, failures, paused_until from budgets where paused_until > $1 order by vendor";
    let micros = now.timestamp_micros();
    let rows: Vec<(String, i64, i64)> = on!(db, c => sqlx::query_as(sql).bind(micros).fetch_all(c).await)?;
    let held = rows.into_iter().filter_map(|(vendor, failures, until)| {
        let until = DateTime::from_timestamp_micros(until)?;
        Some(Held { vendor, why: Why::of_pause(failures, open_after), until })
    });
    Ok(held.collect())
}

/// Nobody calls the vendor until then.
///
/// # Errors
/// When the database is away.
pub async fn pause(db: &Db, vendor: &str, until: DateTime<Utc>) -> sqlx::Result<()> {
    let sql = "insert into budgets (vendor, tat, failures, paused_until) values ($1, 0, 0, $2)
        on conflict (vendor) do update set paused_until =
            case when budgets.paused_until > excluded.paused_until then budgets.paused_until else excluded.paused_until end";
    on!(db, c => sqlx::query(sql).bind(vendor).bind(until.timestamp_micros()).execute(c).await.map(drop))
}

/// Counts a failure; from `open_after` in a row on, pauses the vendor and returns for how long: longer after each probe.
/// What was under way when the circuit opened and fails too says nothing new.
///
/// # Errors
/// When the database is away.
pub async fn failed(
    db: &Db,
    vendor: &str,
    open_after: i64,
    longest: Duration,
    now: DateTime<Utc>,
) -> sqlx::Result<Option<Duration>> {
    let sql = "insert into budgets (vendor, tat, failures, paused_until) values ($1, 0, 1, 0)
        on conflict (vendor) do update set
            failures = case when budgets.failures >= $2 then budgets.failures else budgets.failures + 1 end
        returning failures";
    let failures: i64 = on!(db, c => sqlx::query_scalar(sql).bind(vendor).bind(open_after).fetch_one(c).await)?;
    if failures < open_after {
        return Ok(None);
    }
    let doublings = u32::try_from((failures - open_after).min(16)).unwrap_or(16);
    let wait = Duration::from_secs(5).saturating_mul(1 << doublings).min(longest);
    pause(db, vendor, now + wait).await?;
    Ok(Some(wait))
}

/// The vendor answers: its circuit is closed.
///
/// # Errors
/// When the database is away.
pub async fn succeeded(db: &Db, vendor: &str) -> sqlx::Result<()> {
    let sql = "update budgets set failures = 0, paused_until = 0 where vendor = $1 and failures > 0";
    on!(db, c => sqlx::query(sql).bind(vendor).execute(c).await.map(drop))
}
