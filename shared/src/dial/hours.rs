//! When people may be called.

use chrono::{DateTime, Days, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

use crate::env::{Env, EnvError};

const HOURS: &str = "DIAL_HOURS";
const ZONE: &str = "DIAL_TIMEZONE";

/// Hours of each day, in one time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hours {
    from: NaiveTime,
    to: NaiveTime,
    zone: Tz,
}

impl Hours {
    /// `DIAL_HOURS` as `08:00-20:00`, which is also the default, in `DIAL_TIMEZONE` (`Europe/Rome`), which is UTC by default.
    /// `00:00-00:00` is always; hours may go over midnight.
    ///
    /// # Errors
    /// When one of the two cannot be understood.
    pub fn from_env(env: &Env) -> Result<Self, EnvError> {
        let invalid = |name: &str, why: &str| EnvError::Invalid { name: name.to_owned(), why: why.to_owned() };
        let time = |text: &str| NaiveTime::parse_from_str(text.trim(), "%H:%M").ok();
        let read = |text: &str| text.split_once('-').and_then(|(from, to)| Some((time(from)?, time(to)?)));
        let text = env.var(HOURS).unwrap_or("08:00-20:00");
        let (from, to) = read(text).ok_or_else(|| invalid(HOURS, "expected hours such as 08:00-20:00"))?;
        let zone = env.var(ZONE).unwrap_or("UTC").parse();
        let zone = zone.map_err(|_| invalid(ZONE, "expected a name of the IANA database, such as Europe/Rome"))?;
        Ok(Self { from, to, zone })
    }

    /// The time zone.
    pub fn zone(&self) -> Tz {
        self.zone
    }

    /// `at` itself where people may be called then, else when they may be called next.
    pub fn next(&self, at: DateTime<Utc>) -> DateTime<Utc> {
        let local = at.with_timezone(&self.zone);
        let time = local.time();
        let open = match self.from.cmp(&self.to) {
            std::cmp::Ordering::Less => (self.from..self.to).contains(&time),
            std::cmp::Ordering::Equal => true,
            std::cmp::Ordering::Greater => time >= self.from || time < self.to,
        };
        if open {
            return at;
        }
        let day =
            if time < self.from { Some(local.date_naive()) } else { local.date_naive().checked_add_days(Days::new(1)) };
        let opening = day.unwrap_or(local.date_naive()).and_time(self.from);
        // Where clocks are put forward over that time, it is the hour after.
        let found = [0, 1]
            .into_iter()
            .find_map(|hours| self.zone.from_local_datetime(&(opening + TimeDelta::hours(hours))).earliest());
        found.map_or(at + TimeDelta::hours(1), |opening| opening.to_utc())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests may panic")]
    use super::*;

    fn next(hours: &str, zone: &str, at: &str) -> String {
        let hours = Hours::from_env(&Env::from_pairs([(HOURS, hours), (ZONE, zone)])).unwrap();
        hours.next(at.parse().unwrap()).to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
    }

    #[test]
    fn people_are_called_in_their_daytime_also_when_clocks_change() {
        let rome = |at| next("08:00-20:00", "Europe/Rome", at);
        assert_eq!(rome("2026-11-20T07:00:00Z"), "2026-11-20T07:00:00Z", "08:00 there");
        assert_eq!(rome("2026-11-20T06:59:00Z"), "2026-11-20T07:00:00Z");
        assert_eq!(rome("2026-11-20T19:00:00Z"), "2026-11-21T07:00:00Z", "20:00 is too late");
        assert_eq!(rome("2026-07-01T06:00:00Z"), "2026-07-01T06:00:00Z", "08:00 there in summer");
        assert_eq!(
            next("02:30-20:00", "Europe/Rome", "2026-03-28T23:30:00Z"),
            "2026-03-29T01:30:00Z",
            "no 02:30 that day"
        );
    }

    #[test]
    fn hours_may_go_over_midnight_or_round_the_clock() {
        assert_eq!(next("20:00-04:00", "UTC", "2026-11-20T03:59:00Z"), "2026-11-20T03:59:00Z");
        assert_eq!(next("20:00-04:00", "UTC", "2026-11-20T04:00:00Z"), "2026-11-20T20:00:00Z");
        assert_eq!(next("00:00-00:00", "UTC", "2026-11-20T04:00:00Z"), "2026-11-20T04:00:00Z");
    }

    #[test]
    fn what_is_no_hour_or_zone_is_refused_by_name() {
        for (name, value) in [(HOURS, "8-20"), (HOURS, "25:00-26:00"), (ZONE, "Rome")] {
            let error = Hours::from_env(&Env::from_pairs([(name, value)])).unwrap_err();
            assert!(error.to_string().contains(name), "{error}");
        }
    }
}
