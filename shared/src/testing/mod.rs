//! What tests of every crate stand on: a scratch installation of its own for each test, embedded or in the shape of
//! production, that leaves nothing behind.

mod scratch;
pub mod series;

use std::time::{Duration, Instant};

pub use scratch::{Scratch, Shape};

/// Waits until `holds`, looking often; panics with `what` after 60 seconds. Tests wait for conditions, never for time.
///
/// # Panics
/// When it does not come true.
pub async fn eventually(what: &str, holds: impl AsyncFnMut() -> bool) {
    within(Duration::from_secs(60), what, holds).await;
}

/// [`eventually`], with another patience.
///
/// # Panics
/// When it does not come true.
pub async fn within(patience: Duration, what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + patience;
    while !holds().await {
        assert!(Instant::now() < deadline, "not within {} s: {what}", patience.as_secs());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
