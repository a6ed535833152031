//! How long one waits for a recording that the provider does not have yet. Most are there within a minute; a webhook that
//! announces one wakes the job at any time, so asking is only the safety net.

use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);
const FIRST: Duration = Duration::from_secs(5);
/// A recording that the provider promised is waited for so long, counted from the call's first event.
const PROMISED: Duration = HOUR.saturating_mul(48);
/// And one of which nothing is known.
const UNKNOWN: Duration = HOUR.saturating_mul(24);
/// However old the call is, a job that was just woken asks so often before it gives up: for an hour and a half.
const ASKS: u32 = 10;

/// When to ask again: after 5, 10, 20, 40, 80 s … and at last every hour; `None` to give up. The call's age counts as well
/// as the snoozes, because a vendor's pause snoozes too, without anything having been asked.
pub(super) fn wait(age: Duration, snoozes: i32, promised: bool) -> Option<Duration> {
    let snoozes = u32::try_from(snoozes).unwrap_or_default();
    let patience = if promised { PROMISED } else { UNKNOWN };
    if age >= patience && snoozes >= ASKS {
        return None;
    }
    let doubled = FIRST.saturating_mul(2_u32.saturating_pow(snoozes.min(16)));
    Some(doubled.min(age.max(FIRST)).min(HOUR))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(age: u64, snoozes: i32) -> Option<u64> {
        wait(Duration::from_secs(age), snoozes, false).map(|after| after.as_secs())
    }

    #[test]
    fn asks_often_at_first_and_hourly_at_last() {
        let (mut age, mut asked) = (0, Vec::new());
        while let Some(after) = seconds(age, asked.len() as i32) {
            asked.push(after);
            age += after;
        }
        assert_eq!(asked[..6], [5, 5, 10, 20, 40, 80]);
        assert_eq!(asked.last(), Some(&3600));
        assert!(asked.is_sorted());
        assert!((24 * 3600..26 * 3600).contains(&age), "{age}");
        assert!(asked.len() < 40, "{}", asked.len());
    }

    #[test]
    fn a_pause_of_the_vendor_neither_ends_nor_stretches_the_wait() {
        assert_eq!(seconds(30, 500), Some(30));
    }

    #[test]
    fn news_of_an_old_call_is_followed_up_at_once() {
        assert_eq!(seconds(7 * 86_400, 0), Some(5));
        assert_eq!(seconds(7 * 86_400, 10), None);
    }

    #[test]
    fn a_promised_recording_is_waited_for_longer() {
        assert_eq!(wait(HOUR * 30, 40, true), Some(HOUR));
        assert_eq!(wait(HOUR * 30, 40, false), None);
        assert_eq!(wait(HOUR * 48, 40, true), None);
    }
}
