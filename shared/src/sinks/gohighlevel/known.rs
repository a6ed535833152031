//! Which contact a number has, kept for a while: people who call often are not looked up for every call.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};

use crate::domain::Phone;

/// At most so many are kept; then all are forgotten.
const MOST: usize = 10_000;
/// A contact may be merged into another, or its number move on.
const FRESH: Duration = Duration::from_secs(600);

/// Ids of contacts by number. Cheap to clone.
#[derive(Clone, Default)]
pub struct Known(Arc<Mutex<Held>>);

/// Ids, and when they were seen.
type Held = HashMap<Phone, (String, DateTime<Utc>)>;

impl Known {
    /// The contact with that number, if it was seen lately.
    pub fn get(&self, phone: &Phone, now: DateTime<Utc>) -> Option<String> {
        let held = self.held();
        let (id, at) = held.get(phone)?;
        (now - at).to_std().is_ok_and(|age| age < FRESH).then(|| id.clone())
    }

    /// Keeps a contact that was found or made.
    pub fn put(&self, phone: &Phone, id: &str, now: DateTime<Utc>) {
        let mut held = self.held();
        if held.len() >= MOST {
            held.clear();
        }
        held.insert(phone.clone(), (id.to_owned(), now));
    }

    /// Forgets one that is gone.
    pub fn forget(&self, phone: &Phone) {
        self.held().remove(phone);
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests may panic")]
    use super::*;

    #[test]
    fn a_contact_is_known_for_a_while_and_never_more_than_there_is_room_for() {
        let (known, now) = (Known::default(), "2026-11-20T09:00:00Z".parse().unwrap());
        let phone = |n: usize| Phone::parse(&format!("+39{n:08}")).unwrap();
        known.put(&phone(0), "a", now);
        assert_eq!(known.get(&phone(0), now).as_deref(), Some("a"));
        assert_eq!(known.get(&phone(0), now + FRESH), None);
        known.forget(&phone(0));
        assert_eq!(known.get(&phone(0), now), None);
        (0..=MOST).for_each(|n| known.put(&phone(n), "b", now));
        assert!(known.held().len() <= MOST);
    }
}
