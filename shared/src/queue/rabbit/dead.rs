//! Takes letters off a dead-letter queue.

use std::collections::HashSet;

use lapin::options::{BasicAckOptions, BasicGetOptions, BasicNackOptions};

use super::{explain, link::Link, message, within};
use crate::{domain::JobId, queue::QueueError};

/// Takes the letters of these jobs off the queue of that name, looking at `depth` letters. The others go back where
/// they were. (Nothing but a walk can do this over AMQP. Dead-letter queues are short, or somebody should look.)
pub(super) async fn take(link: &Link, name: &str, depth: u64, jobs: &[JobId]) -> Result<usize, QueueError> {
    let jobs: HashSet<JobId> = jobs.iter().copied().collect();
    let channel = link.channel().await?;
    let mut taken = 0;
    let mut last_left = None;
    for _ in 0..depth {
        let get = channel.basic_get(name.into(), BasicGetOptions::default());
        let Some(letter) = within("reading a dead letter", async { get.await.map_err(explain) }).await? else { break };
        let job = message::read(&letter.delivery.properties, &letter.delivery.data).job;
        if job.is_some_and(|job| jobs.contains(&job)) {
            let ack = letter.delivery.ack(BasicAckOptions::default());
            within("acknowledging", async { ack.await.map_err(explain) }).await?;
            taken += 1;
        } else {
            last_left = Some(letter.delivery.delivery_tag);
        }
    }
    if let Some(tag) = last_left {
        let nack = channel.basic_nack(tag, BasicNackOptions { multiple: true, requeue: true });
        within("giving letters back", async { nack.await.map_err(explain) }).await?;
    }
    // Closing waits until the broker has worked through the above.
    let close = channel.close(200, "done".into());
    within("closing a channel", async { close.await.map_err(explain) }).await?;
    Ok(taken)
}
