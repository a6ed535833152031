//! The calls of a scenario: every sample, every way in which a recording is announced.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use futures::{StreamExt, TryStreamExt, stream};
use proof::Installation;
use sandbox::CallMode;

/// Placed at the same time.
const AT_ONCE: usize = 4;
/// Between calls of a steady load.
const BREATH: Duration = Duration::from_millis(150);
const SAMPLES: [&str; 4] = ["billing", "sales", "support", "appointment"];
const RECORDED: [CallMode; 3] = [CallMode::EndedWithUrl, CallMode::EndedThenRecording, CallMode::ApiFallback];
const MIXED: [CallMode; 6] = [
    CallMode::EndedWithUrl,
    CallMode::EndedThenRecording,
    CallMode::Missed,
    CallMode::ApiFallback,
    CallMode::EndedThenRecording,
    CallMode::NotRecorded,
];

/// A call whose webhooks were all accepted.
#[derive(Debug, Clone, Copy)]
pub struct Placed {
    /// The provider's id.
    pub id: u64,
    /// What was said in it.
    pub sample: &'static str,
    /// Whether there is a recording of it.
    pub recorded: bool,
}

/// Places calls that were all recorded.
pub async fn recorded(at: &Installation, count: usize) -> anyhow::Result<Vec<Placed>> {
    place(at, count, &RECORDED).await
}

/// Places calls of every kind.
pub async fn mixed(at: &Installation, count: usize) -> anyhow::Result<Vec<Placed>> {
    place(at, count, &MIXED).await
}

async fn place(at: &Installation, count: usize, modes: &'static [CallMode]) -> anyhow::Result<Vec<Placed>> {
    let one = |index: usize| async move {
        let (sample, mode) = (SAMPLES[index % SAMPLES.len()], modes[index % modes.len()]);
        let placed = at.place(at.call(sample).mode(mode)).await?;
        anyhow::Ok(Placed { id: placed.call_id, sample, recorded: placed.recording_url.is_some() })
    };
    stream::iter(0..count).map(one).buffer_unordered(AT_ONCE).try_collect().await
}

/// Places calls of every kind, one after the other, until `done` is.
pub async fn for_as_long_as(
    at: &Installation,
    done: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<Vec<Placed>> {
    let over = AtomicBool::new(false);
    let load = async {
        let mut placed = Vec::new();
        while !over.load(Ordering::Relaxed) {
            placed.extend(mixed(at, 2).await?);
            tokio::time::sleep(BREATH).await;
        }
        Ok(placed)
    };
    let done = async {
        let result = done.await;
        over.store(true, Ordering::Relaxed);
        result
    };
    let (placed, ()) = futures::try_join!(load, done)?;
    Ok(placed)
}
