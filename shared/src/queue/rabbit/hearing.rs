//! Keeps track of the consumers that the broker does not know of although it should.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::time::Instant;

use crate::queue::Hearing;

/// The deaf consumers of a process.
#[derive(Clone, Default)]
pub(super) struct Ears(Arc<Inner>);

#[derive(Default)]
struct Inner {
    next: AtomicU64,
    deaf: Mutex<HashMap<u64, Instant>>,
}

impl Ears {
    /// A new consumer's, deaf until it says otherwise.
    pub fn grow(&self) -> Ear {
        let ear = Ear { ears: self.clone(), id: self.0.next.fetch_add(1, Ordering::Relaxed) };
        ear.is_deaf();
        ear
    }

    /// How they do, given since when there is a connection. Without one nobody can hear, and nobody is to blame.
    pub fn hearing(&self, connected: Option<Instant>) -> Hearing {
        let Some(connected) = connected else { return Hearing::Fine };
        let longest = self.deaf().values().map(|since| (*since).max(connected)).min();
        longest.map_or(Hearing::Fine, |since| Hearing::Deaf(since.elapsed()))
    }

    fn deaf(&self) -> MutexGuard<'_, HashMap<u64, Instant>> {
        self.0.deaf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One consumer's. Gone when dropped.
pub(super) struct Ear {
    ears: Ears,
    id: u64,
}

impl Ear {
    /// The broker does not know the consumer (any more).
    pub fn is_deaf(&self) {
        self.ears.deaf().entry(self.id).or_insert_with(Instant::now);
    }

    /// The broker has registered the consumer.
    pub fn hears(&self) {
        self.ears.deaf().remove(&self.id);
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        self.hears();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_consumer_is_deaf_until_it_is_registered_or_gone() {
        let ears = Ears::default();
        let connected = Some(Instant::now());
        assert_eq!(ears.hearing(connected), Hearing::Fine);
        let (one, two) = (ears.grow(), ears.grow());
        one.hears();
        assert!(matches!(ears.hearing(connected), Hearing::Deaf(_)));
        two.hears();
        assert_eq!(ears.hearing(connected), Hearing::Fine);
        one.is_deaf();
        assert!(matches!(ears.hearing(connected), Hearing::Deaf(_)));
        drop(one);
        assert_eq!(ears.hearing(connected), Hearing::Fine);
    }

    #[test]
    fn deafness_counts_from_when_there_is_a_connection() {
        let ears = Ears::default();
        let _ear = ears.grow();
        assert_eq!(ears.hearing(None), Hearing::Fine);
        let just_now = Instant::now() + Duration::from_secs(60);
        assert_eq!(ears.hearing(Some(just_now)), Hearing::Deaf(Duration::ZERO));
    }
}
