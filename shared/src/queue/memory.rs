//! The queue in this process, for the embedded shape and for tests. Empty at start: the rows fill it again.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    time::sleep,
};
use tokio_util::sync::CancellationToken;

use super::{Consumer, Created, DeadLetter, Delivered, Hearing, Queue, QueueError, REQUEUE_AFTER, Settle, Wakeup};
use crate::domain::{JobId, QueueName};

/// All queues of a process.
#[derive(Default)]
pub struct MemoryQueue {
    lanes: Mutex<BTreeMap<QueueName, Arc<Lane>>>,
    closed: CancellationToken,
}

/// One queue and its dead letters.
#[derive(Default)]
struct Lane {
    held: Mutex<Held>,
    news: Notify,
}

#[derive(Default)]
struct Held {
    reported: bool,
    waiting: VecDeque<Wakeup>,
    dead: Vec<DeadLetter>,
}

impl MemoryQueue {
    fn lane(&self, queue: &QueueName) -> Arc<Lane> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner).entry(queue.clone()).or_default().clone()
    }
}

#[async_trait]
impl Queue for MemoryQueue {
    async fn declare(&self, queues: &[QueueName]) -> Result<Created, QueueError> {
        let is_new = |queue: &&QueueName| !std::mem::replace(&mut self.lane(queue).held().reported, true);
        let queues: Vec<_> = queues.iter().filter(is_new).cloned().collect();
        Ok(Created { dead: queues.clone(), queues })
    }

    async fn publish(&self, wakeup: &Wakeup) -> Result<(), QueueError> {
        self.lane(&wakeup.queue).put(|waiting| waiting.push_back(wakeup.clone()));
        Ok(())
    }

    async fn consume(&self, queue: &QueueName, prefetch: u16, stop: CancellationToken) -> Box<dyn Consumer> {
        let slots = Arc::new(Semaphore::new(prefetch.into()));
        Box::new(MemoryConsumer { lane: self.lane(queue), slots, stop, closed: self.closed.clone() })
    }

    async fn bury(&self, letter: &DeadLetter) -> Result<(), QueueError> {
        self.lane(&letter.queue).held().dead.push(letter.clone());
        Ok(())
    }

    async fn unbury(&self, queue: &QueueName, jobs: &[JobId]) -> Result<usize, QueueError> {
        let lane = self.lane(queue);
        let mut held = lane.held();
        let before = held.dead.len();
        held.dead.retain(|letter| !jobs.contains(&letter.job));
        Ok(before - held.dead.len())
    }

    async fn depth(&self, queue: &QueueName) -> Result<u64, QueueError> {
        Ok(self.lane(queue).held().waiting.len() as u64)
    }

    async fn dead_depth(&self, queue: &QueueName) -> Result<u64, QueueError> {
        Ok(self.lane(queue).held().dead.len() as u64)
    }

    fn connected(&self) -> bool {
        true
    }

    fn hearing(&self) -> Hearing {
        Hearing::Fine
    }

    async fn close(&self) {
        self.closed.cancel();
    }
}

impl Lane {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, how: impl FnOnce(&mut VecDeque<Wakeup>)) {
        how(&mut self.held().waiting);
        self.news.notify_waiters();
    }

    async fn take(&self) -> Wakeup {
        loop {
            let mut news = std::pin::pin!(self.news.notified());
            // Listens before it looks, or what comes in between would go unnoticed.
            news.as_mut().enable();
            if let Some(wakeup) = self.held().waiting.pop_front() {
                return wakeup;
            }
            news.await;
        }
    }
}

struct MemoryConsumer {
    lane: Arc<Lane>,
    slots: Arc<Semaphore>,
    stop: CancellationToken,
    closed: CancellationToken,
}

#[async_trait]
impl Consumer for MemoryConsumer {
    async fn next(&mut self) -> Option<Delivered> {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => None,
            () = self.closed.cancelled() => None,
            (slot, wakeup) = async { (self.slots.clone().acquire_owned().await.ok(), self.lane.take().await) } => {
                let (job, more) = (Some(wakeup.job), wakeup.more.clone());
                let traceparent = wakeup.traceparent.clone();
                let settle = MemorySettle { lane: self.lane.clone(), wakeup: Some(wakeup), _slot: slot, stop: self.stop.clone() };
                Some(Delivered { job, more, was_dead: false, traceparent, settle: Box::new(settle) })
            }
        }
    }
}

struct MemorySettle {
    lane: Arc<Lane>,
    wakeup: Option<Wakeup>,
    _slot: Option<OwnedSemaphorePermit>,
    stop: CancellationToken,
}

#[async_trait]
impl Settle for MemorySettle {
    async fn ack(mut self: Box<Self>) {
        self.wakeup = None;
    }

    async fn requeue(mut self: Box<Self>) {
        self.stop.run_until_cancelled(sleep(REQUEUE_AFTER)).await;
        if let Some(wakeup) = self.wakeup.take() {
            self.lane.put(|waiting| waiting.push_back(wakeup));
        }
    }
}

impl Drop for MemorySettle {
    fn drop(&mut self) {
        if let Some(wakeup) = self.wakeup.take() {
            self.lane.put(|waiting| waiting.push_front(wakeup));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::MemoryQueue;
    use crate::queue::SharedQueue;

    async fn run(test: impl AsyncFnOnce(SharedQueue)) {
        test(std::sync::Arc::new(MemoryQueue::default())).await;
    }

    crate::queue_conformance!(run);
}
