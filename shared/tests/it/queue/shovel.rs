//! Messages that come from elsewhere, or come back from the dead.

use lapin::{
    BasicProperties,
    options::{BasicAckOptions, BasicRejectOptions},
    types::{AMQPValue, FieldTable},
};
use shared::queue::conformance::{FETCH, eventually, letter, next, wakeup};
use tokio_util::sync::CancellationToken;

use super::broker;

#[tokio::test]
async fn a_foreign_message_is_no_job() {
    broker::with(async |broker| {
        let queue = broker.queue();
        queue.declare(&[FETCH]).await.unwrap();
        broker.put(&broker.name(&FETCH), b"not one of ours", BasicProperties::default()).await;
        let mut consumer = queue.consume(&FETCH, 1, CancellationToken::new()).await;
        let delivered = next(&mut consumer).await;
        assert_eq!((delivered.job, delivered.was_dead), (None, false));
        delivered.settle.ack().await;
    })
    .await;
}

#[tokio::test]
async fn a_letter_that_was_shovelled_back_was_dead() {
    broker::with(async |broker| {
        let queue = broker.queue();
        let letter = letter(&FETCH);
        queue.declare(&[FETCH]).await.unwrap();
        queue.bury(&letter).await.unwrap();
        let dead = broker.get_soon(&format!("{}.dead", broker.name(&FETCH))).await;
        let headers = dead.properties.headers().clone().unwrap();
        let header = |name: &str| headers.inner().get(name).cloned();
        assert_eq!(header("tapedeck-reason"), Some(AMQPValue::LongString("gone".into())));
        assert_eq!(header("tapedeck-error"), Some(AMQPValue::LongString("answered 410".into())));
        assert_eq!(header("tapedeck-attempts"), Some(AMQPValue::LongInt(3)));
        assert_eq!(header("tapedeck-queue"), Some(AMQPValue::LongString("fetch".into())));

        broker.put(&broker.name(&FETCH), &dead.data, dead.properties.clone()).await;
        dead.ack(BasicAckOptions::default()).await.unwrap();
        let mut consumer = queue.consume(&FETCH, 1, CancellationToken::new()).await;
        let delivered = next(&mut consumer).await;
        assert_eq!((delivered.job, delivered.was_dead), (Some(letter.job), true));
        // Our database is away: it goes round, and is still one that was dead.
        delivered.settle.requeue().await;
        let again = next(&mut consumer).await;
        assert_eq!((again.job, again.was_dead), (Some(letter.job), true));
        again.settle.ack().await;
    })
    .await;
}

#[tokio::test]
async fn a_message_that_no_worker_survives_ends_among_the_dead_and_can_come_back() {
    broker::with(async |broker| {
        let queue = broker.queue();
        queue.declare(&[FETCH]).await.unwrap();
        let sent = wakeup(&FETCH);
        queue.publish(&sent).await.unwrap();
        let (name, dead) = (broker.name(&FETCH), format!("{}.dead", broker.name(&FETCH)));
        eventually("moved to the dead", async || {
            queue.dead_depth(&FETCH).await.unwrap() == 1 || {
                broker.take_and_crash(&name).await;
                false
            }
        })
        .await;
        for _ in 0..30 {
            // Looking at the dead does not wear them out, not even with a reject, which counts on every version.
            let message = broker.get_soon(&dead).await;
            message.reject(BasicRejectOptions { requeue: true }).await.unwrap();
        }
        let message = broker.get_soon(&dead).await;
        broker.put(&name, &message.data, message.properties.clone()).await;
        message.ack(BasicAckOptions::default()).await.unwrap();
        let mut consumer = queue.consume(&FETCH, 1, CancellationToken::new()).await;
        let delivered = next(&mut consumer).await;
        assert_eq!((delivered.job, delivered.was_dead), (Some(sent.job), true));
        delivered.settle.ack().await;
    })
    .await;
}

#[tokio::test]
async fn requeueing_does_not_count_towards_the_delivery_limit() {
    broker::with(async |broker| {
        let queue = broker.queue();
        let sent = wakeup(&FETCH);
        queue.publish(&sent).await.unwrap();
        let mut consumer = queue.consume(&FETCH, 1, CancellationToken::new()).await;
        next(&mut consumer).await.settle.requeue().await;
        drop(consumer);
        let message = broker.get_soon(&broker.name(&FETCH)).await;
        let count = message
            .properties
            .headers()
            .as_ref()
            .and_then(|headers: &FieldTable| headers.inner().get("x-delivery-count").cloned());
        // The consumer may have been handed the copy before it ended; that one return counts, the requeueing does not.
        assert!(matches!(count, None | Some(AMQPValue::LongLongInt(0 | 1))), "{count:?}");
        message.ack(BasicAckOptions::default()).await.unwrap();
    })
    .await;
}
