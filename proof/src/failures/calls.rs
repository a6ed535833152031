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
/// With how many requests to the speech server it takes to hear each: one per voice and piece.
const SAMPLES: [(&str, u64); 4] = [("billing", 2), ("sales", 2), ("support", 2), ("appointment", 2)];
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
    /// What is to be bought for it.
    pub needs: Bought,
}

/// What is paid for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bought {
    /// Requests to the speech server.
    pub speech: u64,
    /// Judgements of the model.
    pub judgements: u64,
}

impl std::iter::Sum for Bought {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| Self {
            speech: sum.speech + one.speech,
            judgements: sum.judgements + one.judgements,
        })
    }
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
        let ((sample, speech), mode) = (SAMPLES[index % SAMPLES.len()], modes[index % modes.len()]);
        let placed = at.place(at.call(sample).mode(mode)).await?;
        let recorded = placed.recording_url.is_some();
        let needs = if recorded { Bought { speech, judgements: 1 } } else { Bought::default() };
        anyhow::Ok(Placed { id: placed.call_id, sample, recorded, needs })
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
