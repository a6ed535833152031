//! Consumes one queue, and rebuilds everything it needs whenever anything of it breaks.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use backon::{ExponentialBuilder, Retryable};
use futures::StreamExt;
use lapin::{
    Channel,
    message::Delivery,
    options::{BasicCancelOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions},
    types::{FieldTable, ShortString},
};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Inner, explain, hearing::Ear, message, settle::RabbitSettle, within};
use crate::{
    domain::QueueName,
    queue::{Consumer, Delivered, QueueError},
};

const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// A closed channel has once been seen to leave its consumer waiting, so while nothing comes we look for ourselves.
const CHECK_EVERY: Duration = Duration::from_secs(5);

/// A consumer of one queue.
pub(super) struct RabbitConsumer {
    inner: Arc<Inner>,
    queue: QueueName,
    prefetch: u16,
    stop: CancellationToken,
    ear: Option<Ear>,
    registered: Option<Registered>,
}

/// What the broker knows of us.
struct Registered {
    channel: Channel,
    tag: ShortString,
    deliveries: lapin::Consumer,
}

impl RabbitConsumer {
    /// Not registered before it is first asked for a message.
    pub fn new(inner: Arc<Inner>, queue: QueueName, prefetch: u16, stop: CancellationToken) -> Self {
        let ear = Some(inner.ears.grow());
        Self { inner, queue, prefetch, stop, ear, registered: None }
    }

    /// Waits for a message, through any outage. Nothing is lost when the future is dropped.
    async fn hear(&mut self) -> Delivered {
        loop {
            if self.registered.is_none() {
                self.registered = Some(self.register_at_last().await);
                self.ear.iter().for_each(Ear::hears);
            }
            let Some(Registered { channel, deliveries, .. }) = &mut self.registered else { continue };
            let why = tokio::select! {
                delivery = deliveries.next() => match delivery {
                    Some(Ok(delivery)) => {
                        let channel = channel.clone();
                        return self.delivered(channel, delivery);
                    }
                    Some(Err(error)) => error.to_string(),
                    None => "cancelled by the broker".to_owned(),
                },
                () = sleep(CHECK_EVERY) => match channel.status().connected() {
                    true => continue,
                    false => "its channel is closed".to_owned(),
                },
            };
            tracing::warn!(queue = %self.queue, why, "lost the consumer; registering it again");
            self.ear.iter().for_each(Ear::is_deaf);
            self.registered = None;
        }
    }

    async fn register_at_last(&self) -> Registered {
        let pauses = ExponentialBuilder::default()
            .with_min_delay(SHORTEST_PAUSE)
            .with_max_delay(LONGEST_PAUSE)
            .with_jitter()
            .without_max_times();
        loop {
            let failed = |error: &QueueError, _| tracing::debug!(queue = %self.queue, %error, "cannot consume yet");
            if let Ok(registered) = (|| self.register()).retry(pauses).notify(failed).await {
                return registered;
            }
        }
    }

    async fn register(&self) -> Result<Registered, QueueError> {
        self.inner.consuming.up().await;
        self.inner.topology.ensure(&self.queue).await?;
        let channel = self.inner.consuming.channel().await?;
        within("registering a consumer", async {
            channel.basic_qos(self.prefetch, BasicQosOptions::default()).await.map_err(explain)?;
            let name = self.inner.topology.name(&self.queue).into();
            let tag = ShortString::from(format!("{}.{}.{}", self.inner.client, self.queue, Uuid::now_v7()));
            let options = BasicConsumeOptions::default();
            let consumer = channel.basic_consume(name, tag.clone(), options, FieldTable::default());
            let deliveries = consumer.await.map_err(explain)?;
            Ok(Registered { channel: channel.clone(), tag, deliveries })
        })
        .await
    }

    fn delivered(&self, channel: Channel, delivery: Delivery) -> Delivered {
        let read = message::read(&delivery.properties, &delivery.data);
        let (job, more) = (read.job, read.more.clone());
        let (was_dead, traceparent) = (read.was_dead, read.traceparent.clone());
        let queue = self.queue.clone();
        let settle = RabbitSettle::new(self.inner.clone(), channel, delivery.acker, queue, read, self.stop.clone());
        Delivered { job, more, was_dead, traceparent, settle: Box::new(settle) }
    }
}

#[async_trait]
impl Consumer for RabbitConsumer {
    async fn next(&mut self) -> Option<Delivered> {
        let (stop, closed) = (self.stop.clone(), self.inner.stop.clone());
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = closed.cancelled() => {}
            delivered = self.hear() => return Some(delivered),
        }
        self.ear = None;
        if let Some(registered) = self.registered.take() {
            registered.end().await;
        }
        None
    }
}

impl Drop for RabbitConsumer {
    fn drop(&mut self) {
        if let (Some(registered), Ok(runtime)) = (self.registered.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(registered.end());
        }
    }
}

impl Registered {
    /// Takes no more messages and gives back those that were never handed out. Those that were can still be settled.
    async fn end(mut self) {
        let cancelled = self.channel.basic_cancel(self.tag.clone(), BasicCancelOptions::default());
        let _ = within("cancelling a consumer", async { cancelled.await.map_err(explain) }).await;
        // Once cancelled, the stream ends behind what it holds.
        while let Ok(Some(Ok(delivery))) = timeout(super::WITHIN, self.deliveries.next()).await {
            let nack = delivery.nack(BasicNackOptions { requeue: true, ..BasicNackOptions::default() });
            let _ = within("giving a message back", async { nack.await.map_err(explain) }).await;
        }
    }
}
