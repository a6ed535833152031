//! RabbitMQ, from 3.10 to 4.x. One file per concern:
//!
//! - [`link`]: a connection that is kept up; there are two, because a broker short of memory blocks the one that
//!   publishes, and acknowledgements must still get through. [`connect`] opens one, [`address`] says where.
//! - [`topology`]: the queues. [`message`]: what is in them.
//! - [`publisher`], [`consumer`], [`settle`], [`dead`]: what is done with messages.
//! - [`hearing`]: whether consumers really are registered.

mod address;
mod connect;
mod consumer;
mod dead;
mod hearing;
mod link;
mod message;
mod publisher;
mod settle;
mod topology;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use tokio::{sync::Mutex, time::timeout};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use super::{Consumer, Created, DeadLetter, Hearing, Queue, QueueError, Wakeup};
use crate::domain::{JobId, QueueName};
use consumer::RabbitConsumer;
use hearing::Ears;
use link::Link;
use message::Message;
use publisher::{Published, Publisher};
use topology::Topology;

/// How long anything that is asked of the broker may take.
const WITHIN: Duration = Duration::from_secs(5);

/// The queue on RabbitMQ.
pub struct RabbitQueue {
    inner: Arc<Inner>,
    tasks: TaskTracker,
    _stop_when_dropped: DropGuard,
}

/// The URL is not one of a broker. It is not repeated: it holds the password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}", address::EXPECTED)]
pub struct InvalidUrl;

struct Inner {
    client: String,
    publishing: Link,
    consuming: Link,
    publisher: Publisher,
    topology: Topology,
    repair: Mutex<()>,
    ears: Ears,
    stop: CancellationToken,
}

impl RabbitQueue {
    /// Connects in the background, for as long as it takes, now and whenever the connection is lost; returns at once.
    /// `client` is what RabbitMQ lists the connections and consumers of this process under, `prefix` what the names of
    /// all queues begin with (then a dot). Has to be called on a tokio runtime.
    ///
    /// # Errors
    /// When the URL is not one of a broker.
    pub fn connect(url: &SecretString, client: &str, prefix: &str) -> Result<Self, InvalidUrl> {
        let address = address::parse(url.expose_secret()).ok_or(InvalidUrl)?;
        let stop = CancellationToken::new();
        let tasks = TaskTracker::new();
        let link = |role| Link::start(address.clone(), role, format!("tapedeck {client} {role}"), stop.clone(), &tasks);
        let (publishing, consuming) = (link("publish"), link("consume"));
        let inner = Inner {
            client: client.to_owned(),
            publisher: Publisher::new(publishing.clone()),
            topology: Topology::new(consuming.clone(), prefix.to_owned()),
            publishing,
            consuming,
            repair: Mutex::default(),
            ears: Ears::default(),
            stop: stop.clone(),
        };
        Ok(Self { inner: Arc::new(inner), tasks, _stop_when_dropped: stop.drop_guard() })
    }
}

#[async_trait]
impl Queue for RabbitQueue {
    async fn declare(&self, queues: &[QueueName]) -> Result<Created, QueueError> {
        for queue in queues {
            self.inner.topology.ensure_dead(queue).await?;
            self.inner.topology.ensure(queue).await?;
        }
        Ok(self.inner.topology.report_created(queues))
    }

    async fn publish(&self, wakeup: &Wakeup) -> Result<(), QueueError> {
        self.inner.put(&wakeup.queue, &message::wakeup(wakeup)).await
    }

    async fn consume(&self, queue: &QueueName, prefetch: u16, stop: CancellationToken) -> Box<dyn Consumer> {
        Box::new(RabbitConsumer::new(self.inner.clone(), queue.clone(), prefetch, stop))
    }

    async fn bury(&self, letter: &DeadLetter) -> Result<(), QueueError> {
        let name = self.inner.topology.dead_name(&letter.queue);
        stored(self.inner.publisher.publish(&name, &message::letter(letter)).await?, &name)
    }

    async fn unbury(&self, queue: &QueueName, jobs: &[JobId]) -> Result<usize, QueueError> {
        let name = self.inner.topology.dead_name(queue);
        dead::take(&self.inner.consuming, &self.inner.topology, &name, jobs).await
    }

    async fn depth(&self, queue: &QueueName) -> Result<u64, QueueError> {
        let name = self.inner.topology.name(queue);
        Ok(self.inner.topology.depth(&name).await?.unwrap_or(0))
    }

    async fn dead_depth(&self, queue: &QueueName) -> Result<u64, QueueError> {
        let name = self.inner.topology.dead_name(queue);
        Ok(self.inner.topology.depth(&name).await?.unwrap_or(0))
    }

    fn connected(&self) -> bool {
        let Inner { publishing, consuming, .. } = &*self.inner;
        publishing.up_since().is_some() && consuming.up_since().is_some() && !publishing.blocked()
    }

    fn hearing(&self) -> Hearing {
        self.inner.ears.hearing(self.inner.consuming.up_since())
    }

    async fn close(&self) {
        self.inner.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Inner {
    /// Publishes to the queue. If it was deleted it is created again, and reported by the next `declare`.
    async fn put(&self, queue: &QueueName, message: &Message) -> Result<(), QueueError> {
        let name = self.topology.name(queue);
        if let Published::Stored = self.publisher.publish(&name, message).await? {
            return Ok(());
        }
        // One after the other: when a queue is gone, everybody notices at once.
        let _repairing = self.repair.lock().await;
        self.topology.ensure(queue).await?;
        stored(self.publisher.publish(&name, message).await?, &name)
    }
}

fn stored(published: Published, name: &str) -> Result<(), QueueError> {
    match published {
        Published::Stored => Ok(()),
        Published::NoQueue => Err(QueueError::Refused(format!("there is no queue {name}"))),
        Published::NotStored => Err(QueueError::Refused(format!("{name} cannot store it"))),
    }
}

async fn within<T>(what: &str, asked: impl Future<Output = Result<T, QueueError>>) -> Result<T, QueueError> {
    let answered = timeout(WITHIN, asked).await;
    answered.unwrap_or_else(|_| Err(QueueError::Unreachable(format!("{what} took more than {WITHIN:?}"))))
}

/// A "soft" error is the broker's answer to what was asked; anything else is trouble on the way there.
fn explain(error: lapin::Error) -> QueueError {
    match error.is_amqp_soft_error() {
        true => QueueError::Refused(error.to_string()),
        false => QueueError::Unreachable(error.to_string()),
    }
}
