//! Rate limits and circuit state of the vendors, shared by all workers through the database.
//!
//! A limit is kept as a generic cell rate: a quarter of it may come at once, the rest is spread, so that no window of the
//! vendor's length ever holds more than the vendor allows. A circuit opens after [`OPEN_AFTER`] failures in a row; then one
//! worker at a time probes, and everyone else's jobs are snoozed until the vendor is expected back.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crate::{
    clock::Clock,
    db::{
        self, Db,
        budgets::{Admission, Held, Terms},
    },
};

pub use crate::db::budgets::{Wait, Why};

/// Failures in a row before a vendor's circuit opens.
pub const OPEN_AFTER: i64 = 5;
/// A wait up to this long is sat out in place; a longer one snoozes the job.
const PATIENCE: Duration = Duration::from_secs(2);
/// Who may probe an open circuit has this long to report.
const PROBE: Duration = Duration::from_secs(20);
/// Longest time between two probes.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// A vendor's own limit: so many calls in any window of that length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Calls.
    pub calls: u32,
    /// Window.
    pub per: Duration,
}

impl Limit {
    /// So many calls in any window of that length; `None` (no limit) for 0 calls.
    pub fn new(calls: u32, per: Duration) -> Option<Self> {
        (calls > 0).then_some(Self { calls, per })
    }

    fn burst(self) -> i64 {
        i64::from(self.calls / 4).max(1)
    }

    /// Microseconds between two calls once the burst is used up.
    fn interval(self) -> i64 {
        let steady = (i64::from(self.calls) - self.burst()).max(1);
        i64::try_from(self.per.as_micros()).unwrap_or(i64::MAX) / steady
    }
}

/// The shared state. Cheap to clone.
#[derive(Clone)]
pub struct Budgets(Option<Arc<Shared>>);

struct Shared {
    db: Db,
    clock: Clock,
    /// Vendors whose failures this process has reported, or whose circuit it probes: only their next success is written.
    doubtful: Mutex<HashSet<&'static str>>,
}

impl Budgets {
    /// Shared through this database.
    pub fn new(db: Db, clock: Clock) -> Self {
        Self(Some(Arc::new(Shared { db, clock, doubtful: Mutex::default() })))
    }

    /// No limits and no circuits, for tests of a single client.
    pub fn unlimited() -> Self {
        Self(None)
    }

    /// Takes one call's worth, waiting a moment if that is enough. A call that has to wait is counted once.
    ///
    /// # Errors
    /// How long the vendor is not to be called, and why. When the database is away there is no limit: the step will notice soon enough.
    pub async fn admit(&self, vendor: &'static str, limit: Option<Limit>) -> Result<(), Wait> {
        let Some(shared) = &self.0 else { return Ok(()) };
        let mut waited = None;
        loop {
            let (burst, interval) = limit.map_or((0, 0), |l| (l.burst(), l.interval()));
            let now = shared.clock.now();
            let terms = Terms { burst, interval, open_after: OPEN_AFTER, probe: PROBE };
            let wait = match db::budgets::take(&shared.db, vendor, terms, now).await {
                Ok(Admission::Go) => return Ok(()),
                Ok(Admission::Probe) => {
                    shared.doubt(vendor);
                    return Ok(());
                }
                Ok(Admission::Wait(wait)) => wait,
                Err(error) => {
                    tracing::warn!(vendor, %error, "cannot read the vendor's budget");
                    return Ok(());
                }
            };
            if waited.is_none() {
                let labels = [("vendor", vendor), ("why", wait.why.as_str())];
                metrics::counter!("tapedeck_budget_waits_total", &labels).increment(1);
            }
            let total = waited.unwrap_or(Duration::ZERO) + wait.time;
            if total > PATIENCE {
                return Err(wait);
            }
            waited = Some(total);
            tokio::time::sleep(wait.time).await;
        }
    }

    /// The vendors that all workers leave alone at this moment.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn held(db: &Db, clock: &Clock) -> sqlx::Result<Vec<Held>> {
        db::budgets::held(db, OPEN_AFTER, clock.now()).await
    }

    /// Nobody calls the vendor for that long.
    pub async fn pause(&self, vendor: &'static str, wait: Duration) {
        let Some(shared) = &self.0 else { return };
        let until = shared.clock.now() + wait;
        tracing::info!(vendor, pause_seconds = wait.as_secs_f64(), "vendor paused: it limits our rate");
        if let Err(error) = db::budgets::pause(&shared.db, vendor, until).await {
            tracing::warn!(vendor, %error, "cannot pause the vendor");
        }
    }

    /// A call failed on the vendor's side.
    pub async fn failed(&self, vendor: &'static str) {
        let Some(shared) = &self.0 else { return };
        shared.doubt(vendor);
        let now = shared.clock.now();
        match db::budgets::failed(&shared.db, vendor, OPEN_AFTER, LONGEST_PAUSE, now).await {
            Ok(Some(pause)) => {
                tracing::warn!(vendor, pause_seconds = pause.as_secs_f64(), "circuit open: vendor keeps failing");
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(vendor, %error, "cannot note the vendor's failure"),
        }
    }

    /// A call was answered.
    pub async fn succeeded(&self, vendor: &'static str) {
        let Some(shared) = &self.0 else { return };
        if !shared.doubtful.lock().unwrap_or_else(PoisonError::into_inner).remove(vendor) {
            return;
        }
        if let Err(error) = db::budgets::succeeded(&shared.db, vendor).await {
            tracing::warn!(vendor, %error, "cannot close the vendor's circuit");
        }
    }
}

impl Shared {
    fn doubt(&self, vendor: &'static str) {
        self.doubtful.lock().unwrap_or_else(PoisonError::into_inner).insert(vendor);
    }
}
