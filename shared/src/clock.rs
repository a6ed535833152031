//! The only place that reads the time of day; everything else is handed a [`Clock`].

use std::sync::Arc;

use chrono::{DateTime, DurationRound, TimeDelta, Utc};

/// A source of the current time. Cheap to clone.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>);

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        #[expect(clippy::disallowed_methods, reason = "the one place that asks the machine for the time")]
        Self(Arc::new(Utc::now))
    }

    /// A clock that a test moves by hand.
    pub fn from_fn(now: impl Fn() -> DateTime<Utc> + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The current time in whole microseconds, which is what both databases keep.
    pub fn now(&self) -> DateTime<Utc> {
        let now = (self.0)();
        now.duration_trunc(TimeDelta::microseconds(1)).unwrap_or(now)
    }
}

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clock")
    }
}
