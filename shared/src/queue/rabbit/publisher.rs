//! Publishes with the broker's confirmation, over a pool of channels.

use std::sync::{Mutex, PoisonError};

use lapin::{
    Channel, Confirmation,
    options::{BasicPublishOptions, ConfirmSelectOptions},
};
use tokio::sync::Semaphore;

use super::{explain, link::Link, message::Message, within};
use crate::queue::QueueError;

/// Each carries one message at a time, because with more the broker's "returned" cannot be told to belong to which.
const CHANNELS: usize = 32;

/// The pool.
pub(super) struct Publisher {
    link: Link,
    idle: Mutex<Vec<Channel>>,
    free: Semaphore,
}

/// What the broker did with a message.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Published {
    /// It is safe in a queue.
    Stored,
    /// There is no such queue.
    NoQueue,
    /// The queue cannot store it: it is just being made or deleted, or has lost its majority.
    NotStored,
}

impl Publisher {
    /// A pool over this connection, filled as needed.
    pub fn new(link: Link) -> Self {
        Self { link, idle: Mutex::default(), free: Semaphore::new(CHANNELS) }
    }

    /// Publishes to the queue of that name.
    ///
    /// # Errors
    /// After an error the message may have been stored all the same.
    pub async fn publish(&self, queue: &str, message: &Message) -> Result<Published, QueueError> {
        if self.link.blocked() {
            return Err(QueueError::Unreachable("it is short of memory or disk and takes no messages".to_owned()));
        }
        within("publishing", async {
            let _one_of_few = self.free.acquire().await;
            let channel = self.channel().await?;
            // Unless it comes back below, the channel is dropped, which closes it: after an error or a timeout its
            // next confirmation would be taken for the next message's.
            let confirmed = confirm(&channel, queue, message).await?;
            self.idle().push(channel);
            Ok(match confirmed {
                Confirmation::Ack(None) => Published::Stored,
                Confirmation::Ack(Some(_)) => Published::NoQueue,
                Confirmation::Nack(_) | Confirmation::NotRequested => Published::NotStored,
            })
        })
        .await
    }

    async fn channel(&self) -> Result<Channel, QueueError> {
        while let Some(channel) = self.take() {
            if channel.status().connected() {
                return Ok(channel);
            }
        }
        let channel = self.link.channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await.map_err(explain)?;
        Ok(channel)
    }

    fn take(&self) -> Option<Channel> {
        self.idle().pop()
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Channel>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn confirm(channel: &Channel, queue: &str, message: &Message) -> Result<Confirmation, QueueError> {
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    let sent = channel.basic_publish("".into(), queue.into(), options, &message.body, message.properties.clone()).await;
    sent.map_err(explain)?.await.map_err(explain)
}
