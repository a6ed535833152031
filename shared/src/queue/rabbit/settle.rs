//! Settles one message. The job's row holds the truth, so whatever fails here is harmless: the message comes again.

use std::sync::Arc;

use async_trait::async_trait;
use lapin::{
    Acker, Channel,
    options::{BasicAckOptions, BasicNackOptions},
};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{
    Inner, explain,
    message::{self, Read},
    publisher::Published,
    within,
};
use crate::{
    domain::QueueName,
    queue::{REQUEUE_AFTER, Settle},
};

/// One message that was handed out. Goes back to the queue when it is dropped unsettled.
pub(super) struct RabbitSettle(Option<Unsettled>);

struct Unsettled {
    inner: Arc<Inner>,
    /// Closed with its last owner, and then the message would go back.
    _channel: Channel,
    acker: Acker,
    queue: QueueName,
    read: Read,
    stop: CancellationToken,
}

impl RabbitSettle {
    pub fn new(
        inner: Arc<Inner>,
        channel: Channel,
        acker: Acker,
        queue: QueueName,
        read: Read,
        stop: CancellationToken,
    ) -> Self {
        Self(Some(Unsettled { inner, _channel: channel, acker, queue, read, stop }))
    }
}

// What is being settled stays in its place meanwhile, so that it goes back even if nobody waits to the end. Settling a
// second time does nothing.
#[async_trait]
impl Settle for RabbitSettle {
    async fn ack(mut self: Box<Self>) {
        if let Some(unsettled) = &self.0 {
            unsettled.ack().await;
        }
        self.0 = None;
    }

    async fn requeue(mut self: Box<Self>) {
        if let Some(unsettled) = &self.0 {
            unsettled.stop.run_until_cancelled(sleep(REQUEUE_AFTER)).await;
            unsettled.go_round().await;
        }
        self.0 = None;
    }
}

impl Drop for RabbitSettle {
    fn drop(&mut self) {
        if let (Some(unsettled), Ok(runtime)) = (self.0.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(async move { unsettled.give_back().await });
        }
    }
}

impl Unsettled {
    async fn ack(&self) {
        let ack = self.acker.ack(BasicAckOptions::default());
        let _ = within("acknowledging", async { ack.await.map_err(explain) }).await;
    }

    async fn give_back(&self) {
        let nack = self.acker.nack(BasicNackOptions { requeue: true, ..BasicNackOptions::default() });
        let _ = within("giving a message back", async { nack.await.map_err(explain) }).await;
    }

    /// A fresh copy at the end of the queue, because each time that the broker takes a message back counts towards its
    /// delivery limit, and our database may be away for longer than that.
    async fn go_round(&self) {
        let Some(job) = self.read.job.filter(|_| !self.stop.is_cancelled()) else { return self.give_back().await };
        let name = self.inner.topology.name(&self.queue);
        let copy = message::again(job, &self.read);
        match self.inner.publisher.publish(&name, &copy).await {
            Ok(Published::Stored) => self.ack().await,
            Ok(Published::NoQueue | Published::NotStored) | Err(_) => self.give_back().await,
        }
    }
}
