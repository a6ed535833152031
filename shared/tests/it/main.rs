//! Tests of the crate from outside. One binary; a file per thing that is tested.

mod budgets;
mod callmind;
mod cloudtalk;
mod cloudtalk_api;
mod contention;
mod deafness;
mod dialects;
mod dispatching;
mod elevenlabs;
mod ghl_calls;
mod gohighlevel;
mod guard;
mod jobs;
mod ledger;
mod locks;
mod merging;
mod outage;
mod outside;
mod pieces;
mod providers;
mod queue;
mod recordings;
mod scratch;
mod server;
mod service;
mod sinks;
mod sources;
mod target;
mod twilio;
mod tying;

/// Runs a test on both databases, each with an empty one of its own.
macro_rules! on_both_databases {
    ($($name:ident),* $(,)?) => {$(
        mod $name {
            #[tokio::test]
            async fn sqlite() {
                let scratch = shared::testing::Scratch::new(shared::testing::Shape::Embedded).await;
                super::$name(scratch.db().await).await;
            }
            #[tokio::test]
            async fn postgres() {
                let scratch = shared::testing::Scratch::new(shared::testing::Shape::Production).await;
                let db = scratch.db().await;
                super::$name(db.clone()).await;
                db.close().await;
            }
        }
    )*};
}
pub(crate) use on_both_databases;
