//! The queue on a real RabbitMQ: what every backend has to do, and what only a broker can do to us.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

mod broker;
mod outages;
mod proxy;
mod shovel;

use shared::queue::SharedQueue;

async fn run(test: impl AsyncFnOnce(SharedQueue)) {
    broker::with(async |broker| test(broker.queue()).await).await;
}

shared::queue_conformance!(run);
