//! Waiting for conditions, never for time.

use std::time::{Duration, Instant};

use anyhow::bail;

/// Waits until `holds`, looking often.
///
/// # Errors
/// When that takes longer than `patience`; the text says what was waited for.
pub async fn until(what: &str, patience: Duration, mut holds: impl AsyncFnMut() -> bool) -> anyhow::Result<()> {
    let deadline = Instant::now() + patience;
    while !holds().await {
        if Instant::now() > deadline {
            bail!("not within {} s: {what}", patience.as_secs());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}
