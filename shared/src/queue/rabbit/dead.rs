//! Takes letters off a dead-letter queue.

use std::{collections::HashSet, time::Duration};

use lapin::{
    Channel,
    options::{BasicAckOptions, BasicGetOptions, BasicNackOptions},
};
use tokio::time::{Instant, sleep};

use super::{explain, link::Link, message, topology::Topology, within};
use crate::{domain::JobId, queue::QueueError};

const PUT_BACK_WITHIN: Duration = Duration::from_secs(2);
const PUT_BACK_CHECK: Duration = Duration::from_millis(10);

/// Takes the letters of these jobs off the queue of that name; the others go back where they were. (Over AMQP nothing
/// but a walk can do this. Dead-letter queues are short, or somebody should look.)
pub(super) async fn take(link: &Link, topology: &Topology, name: &str, jobs: &[JobId]) -> Result<usize, QueueError> {
    let jobs: HashSet<JobId> = jobs.iter().copied().collect();
    let depth = topology.depth(name).await?.unwrap_or(0);
    if depth == 0 || jobs.is_empty() {
        return Ok(0);
    }
    let channel = link.channel().await?;
    let Walked { taken, left, last_left } = walk(&channel, name, depth, &jobs).await?;
    if let Some(tag) = last_left {
        let nack = channel.basic_nack(tag, BasicNackOptions { multiple: true, requeue: true });
        within("giving letters back", async { nack.await.map_err(explain) }).await?;
    }
    let close = channel.close(200, "done".into());
    within("closing a channel", async { close.await.map_err(explain) }).await?;
    // A quorum queue puts back in its own time. Who asks again at once shall find them.
    let start = Instant::now();
    while topology.depth(name).await?.unwrap_or(0) < left && start.elapsed() < PUT_BACK_WITHIN {
        sleep(PUT_BACK_CHECK).await;
    }
    Ok(taken)
}

struct Walked {
    taken: usize,
    left: u64,
    last_left: Option<u64>,
}

async fn walk(channel: &Channel, name: &str, depth: u64, jobs: &HashSet<JobId>) -> Result<Walked, QueueError> {
    let mut walked = Walked { taken: 0, left: 0, last_left: None };
    for _ in 0..depth {
        let get = channel.basic_get(name.into(), BasicGetOptions::default());
        let Some(letter) = within("reading a dead letter", async { get.await.map_err(explain) }).await? else { break };
        let job = message::read(&letter.delivery.properties, &letter.delivery.data).job;
        if job.is_some_and(|job| jobs.contains(&job)) {
            let ack = letter.delivery.ack(BasicAckOptions::default());
            within("acknowledging", async { ack.await.map_err(explain) }).await?;
            walked.taken += 1;
        } else {
            walked.left += 1;
            walked.last_left = Some(letter.delivery.delivery_tag);
        }
    }
    Ok(walked)
}
