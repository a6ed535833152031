//! A worker that is connected, and that nobody at the broker knows.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use shared::{
    domain::{JobId, QueueName},
    queue::{Consumer, Created, DeadLetter, Hearing, Queue, QueueError, Wakeup, memory::MemoryQueue},
    service::{
        App, Role, listen,
        ops::{self, Needs},
    },
    testing::{Scratch, Shape},
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// A queue that is there, and hears as it is told.
struct Hears {
    queue: MemoryQueue,
    hearing: Mutex<Hearing>,
}

impl Hears {
    fn is(&self, hearing: Hearing) {
        *self.hearing.lock().unwrap() = hearing;
    }
}

#[async_trait]
impl Queue for Hears {
    async fn declare(&self, queues: &[QueueName]) -> Result<Created, QueueError> {
        self.queue.declare(queues).await
    }
    async fn publish(&self, wakeup: &Wakeup) -> Result<(), QueueError> {
        self.queue.publish(wakeup).await
    }
    async fn consume(&self, queue: &QueueName, prefetch: u16, stop: CancellationToken) -> Box<dyn Consumer> {
        self.queue.consume(queue, prefetch, stop).await
    }
    async fn bury(&self, letter: &DeadLetter) -> Result<(), QueueError> {
        self.queue.bury(letter).await
    }
    async fn unbury(&self, queue: &QueueName, jobs: &[JobId]) -> Result<usize, QueueError> {
        self.queue.unbury(queue, jobs).await
    }
    async fn depth(&self, queue: &QueueName) -> Result<u64, QueueError> {
        self.queue.depth(queue).await
    }
    async fn dead_depth(&self, queue: &QueueName) -> Result<u64, QueueError> {
        self.queue.dead_depth(queue).await
    }
    fn connected(&self) -> bool {
        true
    }
    fn hearing(&self) -> Hearing {
        *self.hearing.lock().unwrap()
    }
    async fn close(&self) {
        self.queue.close().await;
    }
}

#[tokio::test]
async fn a_worker_that_has_been_deaf_for_three_minutes_is_to_be_restarted_though_it_is_ready() {
    let scratch = Scratch::new(Shape::Embedded).await;
    let mut app = App::open("worker", scratch.env().clone(), Role::Whole).await.unwrap();
    let queue = Arc::new(Hears { queue: MemoryQueue::default(), hearing: Mutex::new(Hearing::Fine) });
    app.queue = queue.clone();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let stop = CancellationToken::new();
    let router = ops::router(&app, Needs::DatabaseAndBroker, stop.clone());
    let serving = tokio::spawn({
        let (env, stop) = (app.env.clone(), stop.clone());
        async move { listen::serve(listener, router, &env, stop).await }
    });

    let ask = async |path: &str| {
        let answer = app.outside.http.get(format!("{base}{path}")).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    for (hearing, livez, seconds) in [
        (Hearing::Fine, 200, "0"),
        // For a moment after its start, or after a broker's, everybody is.
        (Hearing::Deaf(Duration::from_secs(180)), 200, "180"),
        (Hearing::Deaf(Duration::from_secs(181)), 503, "181"),
        (Hearing::Fine, 200, "0"),
    ] {
        queue.is(hearing);
        let (status, said) = ask("/livez").await;
        assert_eq!(status, livez, "{hearing:?}: {said}");
        assert_eq!(said.contains("not consuming for 181 s"), livez == 503, "{said}");
        assert_eq!(ask("/readyz").await.0, 200, "{hearing:?}");
        let metrics = ask("/metrics").await.1;
        let line = format!("tapedeck_deaf_seconds {seconds}");
        assert!(metrics.lines().any(|found| found == line), "{line} is missing:\n{metrics}");
    }
    stop.cancel();
    serving.await.unwrap();
}
