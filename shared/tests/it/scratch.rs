//! What tests stand on leaves nothing behind.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

use shared::{
    domain::QueueName,
    queue::Created,
    service::{App, Role},
    testing::{Scratch, Shape, eventually},
};

#[tokio::test]
async fn the_queues_of_every_sink_and_provider_go_with_their_test() {
    let scratch = Scratch::new(Shape::Production).await;
    let app = App::open("test", scratch.env().clone(), Role::Part).await.unwrap();
    let queues = ["fetch", "sync.gohighlevel", "sync.target", "poll.cloudtalk", "poll.generic"].map(QueueName::new);
    eventually("they are there", async || app.queue.declare(&queues).await.is_ok()).await;
    assert_eq!(app.queue.declare(&queues).await.unwrap(), Created::default());
    scratch.delete_queues().await;
    let all = Created { queues: queues.to_vec(), dead: queues.to_vec() };
    assert_eq!(app.queue.declare(&queues).await.unwrap(), all, "each had to be made again");
    app.close().await;
}
