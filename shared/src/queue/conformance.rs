//! What every backend has to do. [`queue_conformance!`](crate::queue_conformance) turns it into tests of one backend:
//! it is given a function that makes a queue, runs a test with it and clears up. To add a rule: one function here, and
//! its name in the macro.
#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "tests may panic")]

use std::{collections::BTreeSet, time::Duration};

use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{Consumer, Created, DeadLetter, Delivered, Hearing, SharedQueue, Wakeup};
use crate::domain::{JobId, QueueName};

/// The tests of one backend. `$run` is an `async fn run(test: impl AsyncFnOnce(SharedQueue))`.
#[macro_export]
macro_rules! queue_conformance {
    ($run:path) => {
        $crate::queue_conformance!($run:
            delivers_what_was_published_once_acked,
            hands_out_no_more_than_the_prefetch,
            a_message_dropped_unsettled_comes_again,
            what_a_stopped_consumer_holds_goes_to_another,
            a_message_in_hand_can_be_settled_after_the_stop,
            a_requeued_message_comes_again,
            duplicates_are_both_delivered,
            stops_when_told,
            consumers_share_a_queue,
            queues_are_apart,
            declares_and_reports_what_is_new,
            publishing_creates_a_missing_queue_and_reports_it,
            letters_are_taken_off_one_by_one,
            a_thousand_publishers_at_once,
        );
    };
    ($run:path: $($test:ident,)+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                $run($crate::queue::conformance::$test).await;
            }
        )+
    };
}

/// Longer than any of this takes.
const SOON: Duration = Duration::from_secs(20);
/// Long enough to see that nothing comes.
const A_MOMENT: Duration = Duration::from_millis(300);

/// A queue name for tests.
pub const FETCH: QueueName = QueueName::new("fetch");
const ANALYZE: QueueName = QueueName::new("analyze");

/// A wake-up of a new job.
pub fn wakeup(queue: &QueueName) -> Wakeup {
    let traceparent = Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned());
    Wakeup::new(JobId::new(), queue.clone(), traceparent)
}

/// A letter for a new job.
pub fn letter(queue: &QueueName) -> DeadLetter {
    let (reason, error) = ("gone".to_owned(), "answered 410".to_owned());
    DeadLetter { job: JobId::new(), queue: queue.clone(), reason, error, attempts: 3 }
}

/// The next message, which has to come soon.
pub async fn next(consumer: &mut Box<dyn Consumer>) -> Delivered {
    timeout(SOON, consumer.next()).await.expect("no message came").expect("the consumer ended")
}

/// Waits until the condition holds.
pub async fn eventually(what: &str, holds: impl AsyncFn() -> bool) {
    let start = Instant::now();
    while !holds().await {
        assert!(start.elapsed() < SOON, "still not: {what}");
        sleep(Duration::from_millis(20)).await;
    }
}

async fn nothing_comes(consumer: &mut Box<dyn Consumer>) {
    assert!(timeout(A_MOMENT, consumer.next()).await.is_err(), "a message came, or the consumer ended");
}

async fn publish(queue: &SharedQueue, count: usize) -> Vec<JobId> {
    let mut jobs = Vec::new();
    for _ in 0..count {
        let wakeup = wakeup(&FETCH);
        queue.publish(&wakeup).await.unwrap();
        jobs.push(wakeup.job);
    }
    jobs
}

async fn depth_is(queue: &SharedQueue, expected: u64) {
    eventually(&format!("{expected} waiting"), async || queue.depth(&FETCH).await.unwrap() == expected).await;
}

/// What is published comes as it was, once, and is gone when it is acked.
pub async fn delivers_what_was_published_once_acked(queue: SharedQueue) {
    let sent = wakeup(&FETCH);
    queue.publish(&sent).await.unwrap();
    let mut consumer = queue.consume(&FETCH, 4, CancellationToken::new()).await;
    let delivered = next(&mut consumer).await;
    assert_eq!(delivered.job, Some(sent.job));
    assert_eq!(delivered.traceparent, sent.traceparent);
    assert!(!delivered.was_dead);
    assert_eq!(queue.hearing(), Hearing::Fine);
    assert!(queue.connected());
    delivered.settle.ack().await;
    nothing_comes(&mut consumer).await;
    drop(consumer);
    depth_is(&queue, 0).await;
}

/// Two unsettled messages are two, and the third comes when one of them is settled.
pub async fn hands_out_no_more_than_the_prefetch(queue: SharedQueue) {
    let jobs = publish(&queue, 3).await;
    let mut consumer = queue.consume(&FETCH, 2, CancellationToken::new()).await;
    let (first, second) = (next(&mut consumer).await, next(&mut consumer).await);
    nothing_comes(&mut consumer).await;
    depth_is(&queue, 1).await;
    first.settle.ack().await;
    let third = next(&mut consumer).await;
    assert_eq!(third.job, Some(jobs[2]));
    second.settle.ack().await;
    third.settle.ack().await;
}

/// A worker that panicked drops what it held, and its slot is free again.
pub async fn a_message_dropped_unsettled_comes_again(queue: SharedQueue) {
    let jobs = publish(&queue, 1).await;
    let mut consumer = queue.consume(&FETCH, 1, CancellationToken::new()).await;
    drop(next(&mut consumer).await);
    let again = next(&mut consumer).await;
    assert_eq!(again.job, Some(jobs[0]));
    again.settle.ack().await;
}

/// Handed out or only held for handing out: all goes back when the consumer ends.
pub async fn what_a_stopped_consumer_holds_goes_to_another(queue: SharedQueue) {
    let jobs = publish(&queue, 3).await;
    let stop = CancellationToken::new();
    let mut ending = queue.consume(&FETCH, 3, stop.clone()).await;
    let unsettled = next(&mut ending).await;
    stop.cancel();
    assert!(timeout(SOON, ending.next()).await.unwrap().is_none());
    drop((ending, unsettled));
    let mut other = queue.consume(&FETCH, 3, CancellationToken::new()).await;
    let mut came = BTreeSet::new();
    for _ in 0..3 {
        let delivered = next(&mut other).await;
        came.extend(delivered.job);
        delivered.settle.ack().await;
    }
    assert_eq!(came, jobs.into_iter().collect());
}

/// Draining: work in hand is finished and acked after the consumer was stopped.
pub async fn a_message_in_hand_can_be_settled_after_the_stop(queue: SharedQueue) {
    publish(&queue, 1).await;
    let stop = CancellationToken::new();
    let mut consumer = queue.consume(&FETCH, 1, stop.clone()).await;
    let in_hand = next(&mut consumer).await;
    stop.cancel();
    assert!(timeout(SOON, consumer.next()).await.unwrap().is_none());
    drop(consumer);
    in_hand.settle.ack().await;
    let mut other = queue.consume(&FETCH, 1, CancellationToken::new()).await;
    nothing_comes(&mut other).await;
    depth_is(&queue, 0).await;
}

/// Our database was away.
pub async fn a_requeued_message_comes_again(queue: SharedQueue) {
    let sent = wakeup(&FETCH);
    queue.publish(&sent).await.unwrap();
    let mut consumer = queue.consume(&FETCH, 1, CancellationToken::new()).await;
    next(&mut consumer).await.settle.requeue().await;
    let again = next(&mut consumer).await;
    assert_eq!((again.job, again.was_dead), (Some(sent.job), false));
    assert_eq!(again.traceparent, sent.traceparent);
    again.settle.ack().await;
    nothing_comes(&mut consumer).await;
}

/// Nothing is deduplicated: that is the row's business.
pub async fn duplicates_are_both_delivered(queue: SharedQueue) {
    let sent = wakeup(&FETCH);
    queue.publish(&sent).await.unwrap();
    queue.publish(&sent).await.unwrap();
    let mut consumer = queue.consume(&FETCH, 2, CancellationToken::new()).await;
    for _ in 0..2 {
        let delivered = next(&mut consumer).await;
        assert_eq!(delivered.job, Some(sent.job));
        delivered.settle.ack().await;
    }
}

/// A consumer ends when it is told to, and so does one whose queue is closed.
pub async fn stops_when_told(queue: SharedQueue) {
    let stop = CancellationToken::new();
    let mut waiting = queue.consume(&FETCH, 1, stop.clone()).await;
    let mut other = queue.consume(&FETCH, 1, CancellationToken::new()).await;
    nothing_comes(&mut waiting).await;
    stop.cancel();
    assert!(timeout(SOON, waiting.next()).await.unwrap().is_none());
    nothing_comes(&mut other).await;
    queue.close().await;
    assert!(timeout(SOON, other.next()).await.unwrap().is_none());
}

/// Two consumers get each message once between them.
pub async fn consumers_share_a_queue(queue: SharedQueue) {
    let mut one = queue.consume(&FETCH, 1, CancellationToken::new()).await;
    let mut two = queue.consume(&FETCH, 1, CancellationToken::new()).await;
    let jobs = publish(&queue, 2).await;
    let (first, second) = tokio::join!(next(&mut one), next(&mut two));
    assert_eq!(BTreeSet::from_iter([first.job, second.job]), jobs.into_iter().map(Some).collect());
    first.settle.ack().await;
    second.settle.ack().await;
}

/// A message goes to its queue and to no other.
pub async fn queues_are_apart(queue: SharedQueue) {
    publish(&queue, 1).await;
    let mut other = queue.consume(&ANALYZE, 1, CancellationToken::new()).await;
    nothing_comes(&mut other).await;
    assert_eq!(queue.depth(&ANALYZE).await.unwrap(), 0);
    depth_is(&queue, 1).await;
}

/// A queue is new once.
pub async fn declares_and_reports_what_is_new(queue: SharedQueue) {
    let new = |queues: &[QueueName]| Created { queues: queues.to_vec(), dead: queues.to_vec() };
    assert_eq!(queue.declare(&[FETCH]).await.unwrap(), new(&[FETCH]));
    assert_eq!(queue.declare(&[FETCH, ANALYZE]).await.unwrap(), new(&[ANALYZE]));
    assert_eq!(queue.declare(&[FETCH, ANALYZE]).await.unwrap(), new(&[]));
}

/// A message finds a queue that nobody has declared, and the next declaration says that it was not there.
pub async fn publishing_creates_a_missing_queue_and_reports_it(queue: SharedQueue) {
    publish(&queue, 1).await;
    depth_is(&queue, 1).await;
    assert_eq!(queue.declare(&[FETCH]).await.unwrap().queues, [FETCH]);
    assert_eq!(queue.declare(&[FETCH]).await.unwrap(), Created::default());
    depth_is(&queue, 1).await;
}

/// Replaying some jobs takes their letters away and leaves the others.
pub async fn letters_are_taken_off_one_by_one(queue: SharedQueue) {
    queue.declare(&[FETCH]).await.unwrap();
    assert_eq!(queue.unbury(&FETCH, &[JobId::new()]).await.unwrap(), 0);
    let letters: [DeadLetter; 4] = std::array::from_fn(|_| letter(&FETCH));
    for letter in &letters {
        queue.bury(letter).await.unwrap();
    }
    let dead_is = async |expected| {
        eventually(&format!("{expected} dead"), async || queue.dead_depth(&FETCH).await.unwrap() == expected).await;
    };
    dead_is(4).await;
    assert_eq!(queue.unbury(&FETCH, &[letters[1].job, letters[3].job, JobId::new()]).await.unwrap(), 2);
    dead_is(2).await;
    assert_eq!(queue.unbury(&FETCH, &[letters[1].job]).await.unwrap(), 0);
    assert_eq!(queue.unbury(&FETCH, &[letters[0].job, letters[2].job]).await.unwrap(), 2);
    dead_is(0).await;
    assert_eq!(queue.depth(&FETCH).await.unwrap(), 0);
}

/// More callers than channels: each message arrives.
pub async fn a_thousand_publishers_at_once(queue: SharedQueue) {
    let sent: Vec<Wakeup> = (0..1000).map(|_| wakeup(&FETCH)).collect();
    futures::future::try_join_all(sent.iter().map(|wakeup| queue.publish(wakeup))).await.unwrap();
    let mut consumer = queue.consume(&FETCH, 100, CancellationToken::new()).await;
    let mut came = BTreeSet::new();
    while came.len() < sent.len() {
        let delivered = next(&mut consumer).await;
        came.extend(delivered.job);
        delivered.settle.ack().await;
    }
    assert_eq!(came, sent.iter().map(|wakeup| wakeup.job).collect());
}
