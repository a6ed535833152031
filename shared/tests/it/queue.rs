//! The queue on a real RabbitMQ: what every backend has to do, and what only a broker can do to us.

mod broker;
mod outages;
mod proxy;
mod shovel;

use shared::queue::SharedQueue;

use broker::Broker;

async fn run(test: impl AsyncFnOnce(SharedQueue)) {
    let broker = Broker::new().await;
    test(broker.queue()).await;
    broker.clear().await;
}

shared::queue_conformance!(run);
