//! When a failed try is made again: first seconds, then minutes, then hours, over more than a day, so that a vendor may be
//! down for a night. Up to a fifth is added at random, so that what failed together does not come back together.

use std::time::Duration;

use shared::domain::Verdict;

const MINUTE: u64 = 60;
const HOUR: u64 = 3600;

/// Seconds after the first, second, … try. Together with the tries themselves: 65 s after four, 77 min after eight, then
/// 1, 2, 3, 4, 6 and 8 h; the last try is made a little over 25 h after the first.
const DELAYS: [u64; 14] = [
    5,
    15,
    45,
    2 * MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    20 * MINUTE,
    40 * MINUTE,
    HOUR,
    2 * HOUR,
    3 * HOUR,
    4 * HOUR,
    6 * HOUR,
    8 * HOUR,
];

/// Tries of a job before it is dead.
pub const MAX_ATTEMPTS: i32 = DELAYS.len() as i32 + 1;

/// How long after try number `attempt` (from 1) the next one is made; `None` when that was the last. `random` is from 0 to 1.
pub fn delay(attempt: i32, scale: f64, random: f64) -> Option<Duration> {
    let index = usize::try_from(attempt.max(1) - 1).ok()?;
    let seconds = *DELAYS.get(index)?;
    Some(Duration::from_secs(seconds).mul_f64(scale * (1.0 + 0.2 * random)))
}

/// Whether a try that ends so is a job's last.
pub fn is_last(verdict: Verdict, attempt: i32) -> bool {
    match verdict {
        Verdict::Fail => true,
        Verdict::Retry { .. } => attempt >= MAX_ATTEMPTS,
        Verdict::Snooze { .. } | Verdict::Ours => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_try_is_the_last_when_no_other_is_due() {
        for attempt in 1..20 {
            let last = delay(attempt, 1.0, 0.0).is_none();
            assert_eq!(is_last(Verdict::Retry { after: None }, attempt), last, "{attempt}");
            assert!(is_last(Verdict::Fail, attempt) && !is_last(Verdict::Ours, attempt));
        }
    }

    #[test]
    fn tries_outlast_a_night_and_then_end() {
        let tries: Vec<_> = (1..=MAX_ATTEMPTS).map(|attempt| delay(attempt, 1.0, 0.0)).collect();
        assert_eq!(tries.last(), Some(&None));
        let total: Duration = tries.iter().flatten().sum();
        assert!(total > Duration::from_secs(24 * HOUR), "{total:?}");
        assert!(tries.iter().flatten().is_sorted());
    }

    #[test]
    fn jitter_only_adds() {
        assert_eq!(delay(1, 1.0, 1.0), Some(Duration::from_secs(6)));
        assert_eq!(delay(1, 0.1, 0.0), Some(Duration::from_millis(500)));
    }
}
