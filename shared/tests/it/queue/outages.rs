//! The broker goes away, or takes something away from us.

use std::time::Duration;

use shared::{
    domain::QueueName,
    queue::{
        Created, Hearing, QueueError,
        conformance::{FETCH, eventually, letter, next, wakeup},
    },
};
use tokio_util::sync::CancellationToken;

use super::{broker, proxy::Proxy};

#[tokio::test]
async fn goes_on_after_all_its_connections_were_cut() {
    broker::with(async |broker| {
        let proxy = Proxy::new(&broker.url).await;
        proxy.set(true);
        let queue = broker.queue_at(&proxy.url);
        let mut consumer = queue.consume(&FETCH, 2, CancellationToken::new()).await;
        let sent = wakeup(&FETCH);
        eventually("publishes", async || queue.publish(&sent).await.is_ok()).await;
        let in_hand = next(&mut consumer).await;
        assert_eq!(in_hand.job, Some(sent.job));

        assert_eq!(proxy.cut().await, 2, "one to publish, one to consume");
        // The old delivery can no longer be settled, which must neither hang nor hurt.
        in_hand.settle.ack().await;
        let again = next(&mut consumer).await;
        assert_eq!(again.job, Some(sent.job));
        again.settle.ack().await;

        let more = wakeup(&FETCH);
        eventually("publishes again", async || queue.publish(&more).await.is_ok()).await;
        let delivered = next(&mut consumer).await;
        assert_eq!(delivered.job, Some(more.job));
        assert_eq!(queue.hearing(), Hearing::Fine);
        delivered.settle.ack().await;
    })
    .await;
}

#[tokio::test]
async fn rebuilds_a_deleted_queue_and_says_so() {
    broker::with(async |broker| {
        let queue = broker.queue();
        queue.declare(&[FETCH]).await.unwrap();
        let mut consumer = queue.consume(&FETCH, 2, CancellationToken::new()).await;
        let sent = wakeup(&FETCH);
        queue.publish(&sent).await.unwrap();
        next(&mut consumer).await.settle.ack().await;

        broker.delete(&broker.name(&FETCH)).await;
        broker.delete(&format!("{}.dead", broker.name(&FETCH))).await;
        let more = wakeup(&FETCH);
        let (delivered, ()) = tokio::join!(next(&mut consumer), async {
            // In between, the publisher may find no queue, or put the message into the new one.
            eventually("publishes again", async || queue.publish(&more).await.is_ok()).await;
        });
        assert_eq!(delivered.job, Some(more.job));
        delivered.settle.ack().await;
        let both = Created { queues: vec![FETCH], dead: vec![FETCH] };
        assert_eq!(queue.declare(&[FETCH]).await.unwrap(), both);
        assert_eq!(queue.declare(&[FETCH]).await.unwrap(), Created::default());
        queue.bury(&letter(&FETCH)).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn that_all_letters_are_gone_is_told_although_another_process_made_the_queue_again() {
    broker::with(async |broker| {
        let (queue, other) = (broker.queue(), broker.queue());
        queue.declare(&[FETCH]).await.unwrap();
        broker.delete(&broker.name(&FETCH)).await;
        broker.delete(&format!("{}.dead", broker.name(&FETCH))).await;
        eventually("another publishes again", async || other.publish(&wakeup(&FETCH)).await.is_ok()).await;
        assert_eq!(queue.declare(&[FETCH]).await.unwrap(), Created { queues: vec![], dead: vec![FETCH] });
    })
    .await;
}

#[tokio::test]
async fn what_goes_wrong_on_one_channel_disturbs_no_other() {
    broker::with(async |broker| {
        let queue = broker.queue();
        queue.publish(&wakeup(&FETCH)).await.unwrap();
        let mut consumer = queue.consume(&FETCH, 2, CancellationToken::new()).await;
        let in_hand = next(&mut consumer).await;
        // The broker answers this by closing the channel on which it was asked.
        assert_eq!(queue.depth(&QueueName::new("missing")).await.unwrap(), 0);
        let wait = tokio::time::timeout(Duration::from_secs(1), consumer.next());
        assert!(wait.await.is_err(), "it was delivered again, so the connection was lost");
        in_hand.settle.ack().await;
    })
    .await;
}

#[tokio::test]
async fn starts_without_a_broker_and_works_once_there_is_one() {
    broker::with(async |broker| {
        let proxy = Proxy::new(&broker.url).await;
        let queue = broker.queue_at(&proxy.url);
        let mut consumer = queue.consume(&FETCH, 1, CancellationToken::new()).await;
        assert!(tokio::time::timeout(Duration::from_millis(300), consumer.next()).await.is_err());

        let unreachable = |failed| matches!(failed, QueueError::Unreachable(_));
        assert!(unreachable(queue.publish(&wakeup(&FETCH)).await.unwrap_err()));
        assert!(unreachable(queue.bury(&letter(&FETCH)).await.unwrap_err()));
        assert!(unreachable(queue.declare(&[FETCH]).await.unwrap_err()));
        assert!(unreachable(queue.depth(&FETCH).await.unwrap_err()));
        assert!(unreachable(queue.unbury(&FETCH, &[wakeup(&FETCH).job]).await.unwrap_err()));
        assert!(!queue.connected());
        assert_eq!(queue.hearing(), Hearing::Fine, "an outage is not deafness");

        for _ in 0..2 {
            proxy.set(true);
            let sent = wakeup(&FETCH);
            eventually("publishes", async || queue.publish(&sent).await.is_ok()).await;
            // Some of what was tried while the broker went away may have got through.
            loop {
                let delivered = next(&mut consumer).await;
                let job = delivered.job;
                delivered.settle.ack().await;
                if job == Some(sent.job) {
                    break;
                }
            }
            eventually("connected", async || queue.connected()).await;

            proxy.set(false);
            eventually("away", async || !queue.connected()).await;
            eventually("refuses", async || queue.publish(&wakeup(&FETCH)).await.is_err()).await;
        }
        drop(consumer);
        queue.close().await;
    })
    .await;
}

#[tokio::test]
async fn is_deaf_while_a_consumer_that_should_be_registered_is_not() {
    broker::with(async |broker| {
        let queue = broker.queue();
        eventually("connected", async || queue.connected()).await;
        assert_eq!(queue.hearing(), Hearing::Fine);
        // Nobody asks it for messages, so it never gets registered: a worker that is stuck elsewhere.
        let stuck = queue.consume(&FETCH, 1, CancellationToken::new()).await;
        assert!(matches!(queue.hearing(), Hearing::Deaf(_)));
        drop(stuck);
        assert_eq!(queue.hearing(), Hearing::Fine);
    })
    .await;
}
