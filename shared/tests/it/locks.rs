//! What only one at a time may do, in both databases.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::join_all;
use shared::{
    clock::Clock,
    locks::Locks,
    testing::{Scratch, Shape, eventually},
};

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

async fn held_by_one(shape: Shape) {
    let scratch = Scratch::new(shape).await;
    let locks = Locks::new(scratch.db().await, Clock::system());
    let (first, second) = (locks.hold(), locks.hold());
    assert!(first.take(&names(&["a", "b"])).await.expect("a database"));
    assert!(!second.take(&names(&["c", "b"])).await.expect("a database"));
    assert!(second.take(&names(&["c"])).await.expect("a database"), "of a refusal nothing is held");
    assert!(first.take(&names(&["a", "d"])).await.expect("a database"), "what one holds one may take again");
    first.release().await;
    assert!(second.take(&names(&["a", "b", "d"])).await.expect("a database"));
    drop(second);
    let third = locks.hold();
    eventually("what was dropped is given back", async || third.take(&names(&["a"])).await.expect("a database")).await;
}

/// A process that is killed neither renews nor gives back, which is what `expire` leaves.
async fn free_when_its_holder_died(shape: Shape) {
    let scratch = Scratch::new(shape).await;
    let locks = Locks::new(scratch.db().await, Clock::system()).with_lease(Duration::from_millis(200));
    let (first, second) = (locks.hold(), locks.hold());
    assert!(first.take(&names(&["a"])).await.expect("a database"));
    first.expire();
    eventually("it is free", async || second.take(&names(&["a"])).await.expect("a database")).await;
}

/// Of two who want it all the time, the one who has it keeps it for many leases.
async fn kept_by_who_is_alive(shape: Shape) {
    let scratch = Scratch::new(shape).await;
    let lease = Duration::from_millis(400);
    let locks = Locks::new(scratch.db().await, Clock::system()).with_lease(lease);
    let (first, second) = (locks.hold(), locks.hold());
    assert!(first.take(&names(&["a"])).await.expect("a database"));
    let since = Instant::now();
    eventually("five leases are over", async || {
        assert!(!second.take(&names(&["a"])).await.expect("a database"), "it is renewed");
        since.elapsed() > lease * 5
    })
    .await;
}

/// As when the database was away: nothing is renewed in time, and another has the name by now.
async fn told_to_who_lost_it(shape: Shape) {
    let scratch = Scratch::new(shape).await;
    let db = scratch.db().await;
    let lease = Duration::from_millis(400);
    let locks = |clock| Locks::new(db.clone(), clock).with_lease(lease);
    let (first, second) = (locks(Clock::system()).hold(), locks(Clock::from_fn(in_an_hour)).hold());
    assert!(first.take(&names(&["a"])).await.expect("a database"));
    assert!(second.take(&names(&["a"])).await.expect("a database"), "its time is over");
    tokio::time::timeout(Duration::from_secs(30), first.lost()).await.expect("it is told");
}

fn in_an_hour() -> DateTime<Utc> {
    Clock::system().now() + TimeDelta::hours(1)
}

#[tokio::test]
async fn who_lost_a_name_is_told_embedded() {
    told_to_who_lost_it(Shape::Embedded).await;
}

#[tokio::test]
async fn who_lost_a_name_is_told_in_production() {
    told_to_who_lost_it(Shape::Production).await;
}

#[tokio::test]
async fn a_name_is_free_again_when_its_holder_died_embedded() {
    free_when_its_holder_died(Shape::Embedded).await;
}

#[tokio::test]
async fn a_name_is_free_again_when_its_holder_died_in_production() {
    free_when_its_holder_died(Shape::Production).await;
}

#[tokio::test]
async fn a_name_is_kept_by_who_is_alive_embedded() {
    kept_by_who_is_alive(Shape::Embedded).await;
}

#[tokio::test]
async fn a_name_is_kept_by_who_is_alive_in_production() {
    kept_by_who_is_alive(Shape::Production).await;
}

#[tokio::test]
async fn a_name_is_held_by_one_embedded() {
    held_by_one(Shape::Embedded).await;
}

#[tokio::test]
async fn a_name_is_held_by_one_in_production() {
    held_by_one(Shape::Production).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_want_overlapping_names_at_once_one_gets_them_and_none_waits_for_ever() {
    let scratch = Scratch::new(Shape::Production).await;
    let locks = Locks::new(scratch.db().await, Clock::system());
    let wanted = [["a", "b"], ["b", "a"], ["c", "b"], ["b", "c"]];
    let held: Vec<_> = (0..16).map(|n| (locks.hold(), names(&wanted[n % 4]))).collect();
    let taken = join_all(held.iter().map(|(held, names)| held.take(names))).await;
    let taken = taken.into_iter().filter(|taken| *taken.as_ref().expect("a database")).count();
    assert_eq!(taken, 1, "all want b");
}
