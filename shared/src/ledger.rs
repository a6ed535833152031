//! What speech and models cost, and a cap on it that all workers share through the database.
//!
//! A paid request is bracketed by a [`Purse`]: [`Purse::reserve`] sets aside what it may cost at most, and snoozes the job
//! instead when the day's cap would be passed; [`Held::paid`] writes down what it did cost. What was set aside for a request
//! that was never sent, or refused, is given back at once; what became of one that was sent and not answered nobody knows,
//! so that it stays counted for its day. So does what a process held that died.

use std::{sync::Arc, time::Duration};

use anyhow::anyhow;
use chrono::{DateTime, Days, Utc};
use uuid::Uuid;

use crate::{
    batch::Batcher,
    clock::Clock,
    db::{self, Db, spending::Written},
    domain::{CallId, Micros, Purchase, Spending, Step, StepError, VerdictExt, micros},
    env::{Env, EnvError},
};

/// The cap may be raised during the day, so a snoozed job looks again after this long at most.
const LOOK_AGAIN: Duration = Duration::from_secs(15 * 60);
/// Rows in one statement.
const MOST: usize = 64;

/// The shared ledger. Cheap to clone.
#[derive(Clone)]
pub struct Ledger(Option<Arc<Books>>);

struct Books {
    db: Db,
    clock: Clock,
    cap: Option<Micros>,
    rows: Batcher<Written, bool>,
}

impl Ledger {
    /// Kept in this database, under `DAILY_COST_CAP` (US dollars a day, UTC) where that is set.
    ///
    /// # Errors
    /// When the cap is no amount of money.
    pub fn from_env(env: &Env, db: &Db, clock: &Clock) -> Result<Self, EnvError> {
        const CAP: &str = "DAILY_COST_CAP";
        let cap = match env.var(CAP) {
            None => None,
            Some(_) => match env.parsed(CAP, 0.0)? {
                dollars if dollars >= 0.0 && f64::is_finite(dollars) => Some(micros(dollars)),
                _ => return Err(EnvError::Invalid { name: CAP.into(), why: "expected US dollars, 0 or more".into() }),
            },
        };
        let books = db.clone();
        let rows = Batcher::start(MOST, 1, move |rows| write(books.clone(), rows));
        Ok(Self(Some(Arc::new(Books { db: db.clone(), clock: clock.clone(), cap, rows }))))
    }

    /// Nothing is written down and nothing is capped, for tests of a single client.
    pub fn none() -> Self {
        Self(None)
    }

    /// Whether a day's spending has a limit. Then every price must be known.
    pub fn is_capped(&self) -> bool {
        self.0.as_ref().is_some_and(|books| books.cap.is_some())
    }

    /// For the requests of one step for one call.
    pub fn purse(&self, call: CallId, step: Step) -> Purse {
        Purse { ledger: self.clone(), call, step }
    }
}

/// Pays for the requests of one step for one call.
#[derive(Clone)]
pub struct Purse {
    ledger: Ledger,
    call: CallId,
    step: Step,
}

/// What was set aside for a request. Dropped before the request is [`Held::sent`], it is given back; afterwards it stays
/// counted unless it is [`Held::paid`] or [`Held::released`].
#[must_use = "what is reserved is for a request"]
pub struct Held {
    purse: Purse,
    reserved: Micros,
    /// The day that it was reserved for; `None` without a cap, or when it is settled.
    day: Option<String>,
    sent: bool,
}

impl Purse {
    /// Pays without writing it down, for tools and tests.
    pub fn unlisted() -> Self {
        Ledger::none().purse(CallId::new(), Step::Transcribe)
    }

    /// Looks whether there is anything left today, before work is begun that leads to a paid request: at least these US
    /// dollars, where that is known. More than a whole day's cap is for [`Purse::reserve`] to refuse, which knows the request.
    ///
    /// # Errors
    /// Snooze when the day's cap is reached, or would be passed.
    pub async fn open(&self, least: Option<f64>) -> Result<(), StepError> {
        let Some((books, cap)) = self.capped() else { return Ok(()) };
        let now = books.clock.now();
        let spent = db::spending::spent(&books.db, &day(now)).await.or_ours()?;
        let least = least.map_or(0, micros);
        let passed = least <= cap && spent.saturating_add(least) > cap;
        if spent >= cap || passed { Err(capped(now)) } else { Ok(()) }
    }

    /// Sets aside what a request may cost at most. Without a cap nothing is asked.
    ///
    /// # Errors
    /// Snooze when it might pass the day's cap; fail when it might pass that of a whole day, which no waiting helps. A cap of
    /// 0 is a pause: it is waited for.
    pub async fn reserve(&self, dollars: Option<f64>) -> Result<Held, StepError> {
        let Some((books, cap)) = self.capped() else {
            return Ok(Held { purse: self.clone(), reserved: 0, day: None, sent: false });
        };
        let now = books.clock.now();
        let (reserved, day) = (dollars.map_or(0, micros), day(now));
        if cap > 0 && reserved > cap {
            return Err(over(reserved, cap));
        }
        let (db, purse) = (books.db.clone(), self.clone());
        // In a task of its own: for whoever stops waiting nothing is set aside.
        let reserving = tokio::spawn(async move {
            let fits = db::spending::reserve(&db, &day, reserved, cap).await?;
            Ok::<_, db::Error>(fits.then(|| Held { purse, reserved, day: Some(day), sent: false }))
        });
        reserving.await.or_ours()?.or_ours()?.ok_or_else(|| capped(now))
    }

    fn capped(&self) -> Option<(&Books, Micros)> {
        let books = self.ledger.0.as_deref()?;
        Some((books, books.cap?))
    }
}

impl Held {
    /// From now on it may be paid for.
    pub fn sent(&mut self) {
        self.sent = true;
    }

    /// The request was answered, and this is what it took. A failure to write it down is logged and no more: the answer is
    /// worth more than its bill.
    pub async fn paid(mut self, model: &str, bought: Purchase, dollars: Option<f64>) {
        let Some(books) = self.purse.ledger.0.clone() else { return };
        let (call_id, step, micros) = (self.purse.call, self.purse.step, dollars.map(micros));
        let labels = [("step", step.as_str().to_owned()), ("model", model.to_owned())];
        match micros {
            Some(micros) => metrics::counter!("tapedeck_cost_microdollars_total", &labels)
                .increment(u64::try_from(micros).unwrap_or_default()),
            None => metrics::counter!("tapedeck_unpriced_requests_total", &labels).increment(1),
        }
        let paid_at = books.clock.now();
        let row = Spending { id: Uuid::now_v7(), call_id, step, model: model.to_owned(), bought, micros, paid_at };
        let day = self.day.take().unwrap_or_else(|| day(paid_at));
        let owed = micros.unwrap_or_default() - self.reserved;
        if !books.enter(Written { row: Some(row), day, owed }).await {
            tracing::warn!(%step, "what a request cost could not be written down");
        }
    }

    /// The request was certainly not billed.
    pub async fn released(mut self) {
        if let (Some(books), Some(given_back)) = (self.purse.ledger.0.clone(), self.given_back()) {
            books.enter(given_back).await;
        }
    }

    fn given_back(&mut self) -> Option<Written> {
        Some(Written { row: None, day: self.day.take()?, owed: -self.reserved })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.sent {
            return;
        }
        if let (Some(given_back), Some(books)) = (self.given_back(), &self.purse.ledger.0) {
            // With hundreds of lines waiting to be written it stays counted.
            drop(books.rows.try_submit(given_back));
        }
    }
}

impl Books {
    /// Whether the line was written. Once this is polled, it will be, whoever waits for it.
    async fn enter(&self, line: Written) -> bool {
        let written = match self.rows.try_submit(line) {
            Ok(answer) => answer.await,
            Err(line) => self.rows.submit(line).await,
        };
        written == Some(true)
    }
}

async fn write(db: Db, rows: Vec<Written>) -> Vec<bool> {
    let written = db::spending::write(&db, &rows).await;
    if let Err(error) = &written {
        tracing::warn!(%error, "cannot write down what was spent");
    }
    vec![written.is_ok(); rows.len()]
}

fn day(now: DateTime<Utc>) -> String {
    now.date_naive().to_string()
}

fn over(reserved: Micros, cap: Micros) -> StepError {
    let dollars = |micros: Micros| micros as f64 / 1e6;
    let (most, cap) = (dollars(reserved), dollars(cap));
    let why =
        anyhow!("one request may cost {most} US dollars, and DAILY_COST_CAP allows {cap} for a whole day: raise it");
    StepError::fail("request-over-daily-cap", why)
}

fn capped(now: DateTime<Utc>) -> StepError {
    let tomorrow = now.date_naive().checked_add_days(Days::new(1)).unwrap_or_default();
    let left = tomorrow.and_time(chrono::NaiveTime::MIN).and_utc() - now;
    let after = left.to_std().unwrap_or_default().clamp(Duration::from_secs(1), LOOK_AGAIN);
    StepError::snooze(
        "daily-cost-cap",
        after,
        anyhow!("DAILY_COST_CAP is reached; it goes on tomorrow (UTC), or when it is raised"),
    )
}
