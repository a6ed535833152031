//! The dispatcher beside a broker that is in trouble with one of its queues.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

use async_trait::async_trait;
use chrono::TimeDelta;
use shared::{
    clock::Clock,
    db,
    dispatcher::Dispatcher,
    domain::{CallId, JobId, NewJob, QueueName, Step, Wake},
    queue::{Consumer, Created, DeadLetter, Hearing, Queue, QueueError, SharedQueue, Wakeup, memory::MemoryQueue},
    testing::{Scratch, Shape, eventually},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const FETCH: QueueName = QueueName::new("fetch");
const ANALYZE: QueueName = QueueName::new("analyze");

/// Takes nothing for `fetch`, and cannot say how many messages are there.
#[derive(Default)]
struct Troubled(MemoryQueue);

#[async_trait]
impl Queue for Troubled {
    async fn declare(&self, queues: &[QueueName]) -> Result<Created, QueueError> {
        self.0.declare(queues).await
    }
    async fn publish(&self, wakeup: &Wakeup) -> Result<(), QueueError> {
        if wakeup.queue == FETCH { Err(QueueError::Refused("full".into())) } else { self.0.publish(wakeup).await }
    }
    async fn consume(&self, queue: &QueueName, prefetch: u16, stop: CancellationToken) -> Box<dyn Consumer> {
        self.0.consume(queue, prefetch, stop).await
    }
    async fn bury(&self, letter: &DeadLetter) -> Result<(), QueueError> {
        self.0.bury(letter).await
    }
    async fn unbury(&self, queue: &QueueName, jobs: &[JobId]) -> Result<usize, QueueError> {
        self.0.unbury(queue, jobs).await
    }
    async fn depth(&self, queue: &QueueName) -> Result<u64, QueueError> {
        if *queue == FETCH { Err(QueueError::Unreachable("no majority".into())) } else { self.0.depth(queue).await }
    }
    async fn dead_depth(&self, queue: &QueueName) -> Result<u64, QueueError> {
        self.0.dead_depth(queue).await
    }
    fn connected(&self) -> bool {
        true
    }
    fn hearing(&self) -> Hearing {
        Hearing::Fine
    }
    async fn close(&self) {}
}

#[tokio::test]
async fn a_queue_in_trouble_holds_up_neither_the_others_nor_the_leases() {
    let scratch = Scratch::new(Shape::Embedded).await;
    let db = scratch.db().await;
    let clock = Clock::system();
    let now = clock.now();
    let stuck: Vec<_> = (0..600).map(|_| (NewJob::step(Step::Fetch, CallId::new(), Wake::No), None)).collect();
    let other = NewJob::step(Step::Analyze, CallId::new(), Wake::No);
    let lost = NewJob::step(Step::Analyze, CallId::new(), Wake::No);
    let mut tx = db.begin().await.unwrap();
    let before = now - TimeDelta::seconds(9);
    db::jobs::add(&mut tx, &stuck, before, before).await.unwrap();
    db::jobs::add(&mut tx, &[(other, None), (lost.clone(), None)], now, now).await.unwrap();
    tx.commit().await.unwrap();
    let lease = now + TimeDelta::milliseconds(1500);
    assert_eq!(db::jobs::claim(&db, &[lost.id], Uuid::now_v7(), now, lease).await.unwrap().len(), 1);

    let queue: SharedQueue = std::sync::Arc::new(Troubled::default());
    let queues = vec![FETCH, ANALYZE];
    let dispatcher = Dispatcher { db: db.clone(), queue: queue.clone(), clock, queues, max_attempts: 15 };
    let stop = CancellationToken::new();
    let running = tokio::spawn(dispatcher.run(stop.clone()));
    eventually("the other queue's jobs are published", async || queue.depth(&ANALYZE).await.unwrap() == 2).await;
    assert_eq!(db::jobs::state(&db, lost.id).await.unwrap(), Some(("waiting".into(), 1)));
    stop.cancel();
    running.await.unwrap();
}
