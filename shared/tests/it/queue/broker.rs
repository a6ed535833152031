//! The test's own queues on the shared broker, under a prefix of their own, and another client to meddle with them.

use std::{
    panic::{AssertUnwindSafe, resume_unwind},
    sync::{Arc, Mutex},
};

use futures::FutureExt;
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties,
    message::BasicGetMessage,
    options::{BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeleteOptions},
};
use secrecy::SecretString;
use shared::{
    domain::{JobId, QueueName},
    env::Env,
    queue::{SharedQueue, conformance::eventually, rabbit::RabbitQueue},
};

/// A prefix, and a second client.
pub struct Broker {
    pub url: String,
    prefix: String,
    channel: Channel,
    connection: Connection,
}

/// Runs a test and deletes its queues, whatever comes of it.
pub async fn with(test: impl AsyncFnOnce(&Broker)) {
    let broker = Broker::new().await;
    let outcome = AssertUnwindSafe(test(&broker)).catch_unwind().await;
    broker.clear().await;
    if let Err(panic) = outcome {
        resume_unwind(panic);
    }
}

impl Broker {
    async fn new() -> Self {
        let url = setting("TEST_AMQP_URL");
        let connection = Connection::connect(&url, ConnectionProperties::default()).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        Self { url, prefix: format!("test-{}", JobId::new()), channel, connection }
    }

    /// A queue on it.
    pub fn queue(&self) -> SharedQueue {
        self.queue_at(&self.url)
    }

    /// A queue on it that is reached by another URL.
    pub fn queue_at(&self, url: &str) -> SharedQueue {
        Arc::new(RabbitQueue::connect(&SecretString::from(url), &self.prefix, &self.prefix).unwrap())
    }

    pub fn name(&self, queue: &QueueName) -> String {
        format!("{}.{queue}", self.prefix)
    }

    pub async fn put(&self, name: &str, body: &[u8], properties: BasicProperties) {
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let sent = self.channel.basic_publish("".into(), name.into(), options, body, properties).await.unwrap();
        assert_eq!(sent.await.unwrap(), lapin::Confirmation::Ack(None));
    }

    pub async fn get(&self, name: &str) -> Option<BasicGetMessage> {
        self.channel.basic_get(name.into(), BasicGetOptions::default()).await.unwrap()
    }

    /// The message that is there, or will be in a moment.
    pub async fn get_soon(&self, name: &str) -> BasicGetMessage {
        let found = Mutex::new(None);
        eventually("a message", async || {
            let message = self.get(name).await;
            let mut found = found.lock().unwrap();
            *found = message;
            found.is_some()
        })
        .await;
        found.into_inner().unwrap().unwrap()
    }

    /// Takes the message that waits, if one does, and ends with it unsettled, as a worker does that crashes. Giving it back
    /// with a nack is not the same: from RabbitMQ 4.3 on that does not count towards the delivery limit.
    pub async fn take_and_crash(&self, name: &str) {
        let channel = self.connection.create_channel().await.unwrap();
        channel.basic_get(name.into(), BasicGetOptions::default()).await.unwrap();
        channel.close(200, "crashed".into()).await.unwrap();
    }

    pub async fn delete(&self, name: &str) {
        self.channel.queue_delete(name.into(), QueueDeleteOptions::default()).await.unwrap();
    }

    async fn clear(self) {
        for queue in ["fetch", "analyze"] {
            let name = self.name(&QueueName::new(queue));
            self.delete(&format!("{name}.dead")).await;
            self.delete(&name).await;
        }
        self.connection.close(200, "bye".into()).await.unwrap();
    }
}

fn setting(name: &str) -> String {
    let env = Env::from_process().unwrap();
    env.var(name).unwrap_or_else(|| panic!("{name} is not set: these tests need a broker, run `make test`")).to_owned()
}
