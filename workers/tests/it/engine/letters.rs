//! Dead letters are what the rows say, whatever happens to the broker or to the jobs.

use super::*;

in_both_shapes! {
    a_dead_job_that_has_news_leaves_no_letter,
}

/// A job that died, and would not die again.
async fn dead(at: &Installation, call: CallId) -> (JobId, Worker) {
    let (step, _) = told(Step::Fetch, |run, _| async move {
        if run == 1 { Err(StepError::fail("not-audio", anyhow!("an error page"))) } else { done() }
    });
    let worker = at.start(vec![step]);
    let id = at.add_for(call, Step::Fetch).await;
    at.ends(id, "dead").await;
    letters(at, 1).await;
    (id, worker)
}

async fn letters(at: &Installation, count: u64) {
    let lie = async || at.app.queue.dead_depth(&FETCH).await.is_ok_and(|depth| depth == count);
    eventually(&format!("{count} letters lie there"), lie).await;
}

async fn a_dead_job_that_has_news_leaves_no_letter(at: Installation) {
    let call = CallId::new();
    let (id, worker) = dead(&at, call).await;
    let (news, now) = (NewJob::step(Step::Fetch, call, Wake::Yes), at.app.clock.now());
    let mut tx = at.app.db.begin().await.unwrap();
    db::jobs::add(&mut tx, &[(news, None)], now, now).await.unwrap();
    tx.commit().await.unwrap();
    at.ends(id, "done").await;
    letters(&at, 0).await;
    worker.stop().await;
    at.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_letter_that_is_shovelled_back_replays_its_job() {
    let at = Installation::new(Shape::Production).await;
    let (id, worker) = dead(&at, CallId::new()).await;
    at.scratch.shovel(&FETCH).await;
    at.ends(id, "done").await;
    assert_eq!(at.state(id).await.1, 1, "it had fresh attempts");
    letters(&at, 0).await;
    worker.stop().await;
    at.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_lost_its_letters_has_them_again() {
    let at = Installation::new(Shape::Production).await;
    let (_, worker) = dead(&at, CallId::new()).await;
    at.scratch.delete_queues().await;
    letters(&at, 1).await;
    worker.stop().await;
    at.close().await;
}
