//! The queues on the broker: `<prefix>.<queue>` and `<prefix>.<queue>.dead`, both durable quorum queues.
//!
//! A queue that exists is taken as it is, so neither an upgrade nor an operator's policy ever makes a mismatch fatal.
//! Must work from RabbitMQ 3.10 on.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use lapin::{
    Channel, ErrorKind,
    options::QueueDeclareOptions,
    types::{AMQPValue, FieldTable, LongString},
};
use tokio::time::sleep;

use super::{explain, link::Link, within};
use crate::{
    domain::QueueName,
    queue::{Created, QueueError},
};

/// So often the broker delivers a message whose worker dies, before it moves it to the dead. Our own failures never
/// count here: they are rescheduled by the job's row.
const DELIVERY_LIMIT: i32 = 20;
/// Every look into a queue counts, and the dead are looked at a lot. From 4.0 a queue without a limit has one of 20. The
/// documented "unlimited", -1, is accepted by 3.10 too, which then drops each message at the first look.
const NO_DELIVERY_LIMIT: i32 = i32::MAX;
/// A queue that is deleted and made again within milliseconds keeps its old consumers, and withholds its first messages
/// from them as if they had been seen. After this long the broker has cancelled them (and they register anew).
const BEFORE_MAKING_AGAIN: Duration = Duration::from_secs(1);
/// AMQP's reply code for a queue that does not exist.
const NOT_FOUND: u16 = 404;

/// What is known of the queues.
pub(super) struct Topology {
    link: Link,
    prefix: String,
    seen: Mutex<BTreeSet<QueueName>>,
    created: Mutex<BTreeSet<QueueName>>,
    created_dead: Mutex<BTreeSet<QueueName>>,
    /// Looking is done all the time, so its channel is kept.
    idle: Mutex<Option<Channel>>,
}

impl Topology {
    /// Queues are named `<prefix>.<queue>`. The connection should be one that is never blocked.
    pub fn new(link: Link, prefix: String) -> Self {
        let (seen, created, created_dead) = Default::default();
        Self { link, prefix, seen, created, created_dead, idle: Mutex::default() }
    }

    /// The name on the broker.
    pub fn name(&self, queue: &QueueName) -> String {
        format!("{}.{queue}", self.prefix)
    }

    /// The name of its dead-letter queue on the broker.
    pub fn dead_name(&self, queue: &QueueName) -> String {
        format!("{}.dead", self.name(queue))
    }

    /// Makes sure that its dead-letter queue exists.
    pub async fn ensure_dead(&self, queue: &QueueName) -> Result<(), QueueError> {
        let dead = self.dead_name(queue);
        if self.depth(&dead).await?.is_none() {
            self.declare(&dead, quorum([("x-delivery-limit", NO_DELIVERY_LIMIT.into())])).await?;
            lock(&self.created_dead).insert(queue.clone());
        }
        Ok(())
    }

    /// Makes sure that the queue exists.
    pub async fn ensure(&self, queue: &QueueName) -> Result<(), QueueError> {
        let (name, dead) = (self.name(queue), self.dead_name(queue));
        if self.depth(&name).await?.is_none() {
            if lock(&self.seen).contains(queue) {
                sleep(BEFORE_MAKING_AGAIN).await;
            }
            self.declare(&name, work_arguments(&dead)).await?;
            tracing::info!(%queue, "created the queue");
            lock(&self.created).insert(queue.clone());
        }
        lock(&self.seen).insert(queue.clone());
        Ok(())
    }

    /// Which of these had to be created since the last time that this was asked.
    pub fn report_created(&self, queues: &[QueueName]) -> Created {
        let those = |of: &Mutex<BTreeSet<QueueName>>| {
            let mut of = lock(of);
            queues.iter().filter(|queue| of.remove(queue)).cloned().collect()
        };
        Created { queues: those(&self.created), dead: those(&self.created_dead) }
    }

    /// Messages that wait in the queue of that name; `None` when there is no such queue.
    pub async fn depth(&self, name: &str) -> Result<Option<u64>, QueueError> {
        let idle = lock(&self.idle).take();
        let channel = match idle.filter(|channel| channel.status().connected()) {
            Some(channel) => channel,
            None => self.link.channel().await?,
        };
        let options = QueueDeclareOptions::durable().passive();
        let look = channel.queue_declare(name.into(), options, FieldTable::default());
        let found = within("looking at a queue", async {
            match look.await {
                Ok(queue) => Ok(Some(u64::from(queue.message_count()))),
                Err(error) if missing(&error) => Ok(None),
                Err(error) => Err(explain(error)),
            }
        });
        let found = found.await?;
        *lock(&self.idle) = Some(channel);
        Ok(found)
    }

    async fn declare(&self, name: &str, arguments: FieldTable) -> Result<(), QueueError> {
        let channel = self.link.channel().await?;
        let declared = channel.queue_declare(name.into(), QueueDeclareOptions::durable(), arguments);
        within("creating a queue", async { declared.await.map(|_| ()).map_err(explain) }).await
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Dead-lettering at least once: the message stays here until the dead-letter queue has it. Needs `reject-publish`.
fn work_arguments(dead: &str) -> FieldTable {
    quorum([
        ("x-delivery-limit", DELIVERY_LIMIT.into()),
        ("x-dead-letter-exchange", text("")),
        ("x-dead-letter-routing-key", text(dead)),
        ("x-dead-letter-strategy", text("at-least-once")),
        ("x-overflow", text("reject-publish")),
    ])
}

fn quorum<const N: usize>(arguments: [(&str, AMQPValue); N]) -> FieldTable {
    let mut table = FieldTable::default();
    table.insert("x-queue-type".into(), text("quorum"));
    for (name, value) in arguments {
        table.insert(name.into(), value);
    }
    table
}

fn text(text: &str) -> AMQPValue {
    AMQPValue::LongString(LongString::from(text))
}

fn missing(error: &lapin::Error) -> bool {
    matches!(error.kind(), ErrorKind::ProtocolError(error) if error.get_id() == NOT_FOUND)
}
