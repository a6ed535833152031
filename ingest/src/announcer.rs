//! Wakes the workers after the commit, in the background: an answer never waits for the broker. What is not announced
//! here the dispatcher publishes a little later.

use futures::StreamExt;
use shared::queue::{SharedQueue, Wakeup};
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

/// Wake-ups that wait for the broker; more are left to the dispatcher.
const WAITING: usize = 4096;
/// Publishes at a time.
const AT_ONCE: usize = 32;

/// Takes wake-ups to publish.
#[derive(Clone)]
pub(crate) struct Announcer(mpsc::Sender<Wakeup>);

impl Announcer {
    pub(crate) fn start(queue: SharedQueue, tasks: &TaskTracker) -> Self {
        let (sender, mut receiver) = mpsc::channel(WAITING);
        tasks.spawn(async move {
            let wakeups = futures::stream::poll_fn(move |cx| receiver.poll_recv(cx));
            wakeups.for_each_concurrent(AT_ONCE, |wakeup| publish(&queue, wakeup)).await;
        });
        Self(sender)
    }

    /// Never waits.
    pub(crate) fn announce(&self, wakeup: Wakeup) {
        if self.0.try_send(wakeup).is_err() {
            count("dropped");
        }
    }
}

async fn publish(queue: &SharedQueue, wakeup: Wakeup) {
    match queue.publish(&wakeup).await {
        Ok(()) => count("published"),
        Err(error) => {
            tracing::debug!(job_id = %wakeup.job, %error, "not announced; the dispatcher will");
            count("failed");
        }
    }
}

fn count(answer: &'static str) {
    metrics::counter!("tapedeck_announcements_total", "answer" => answer).increment(1);
}
