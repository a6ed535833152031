//! Every provider in the registry against the rules for all of them.

use shared::{providers::conformance, testing::Shape};

#[test]
fn facts_add_up_to_the_same_in_any_order() {
    conformance::facts_add_up_to_the_same_in_any_order();
}

#[tokio::test]
async fn a_recording_on_a_foreign_or_private_host_is_not_asked_for() {
    conformance::a_recording_on_a_foreign_or_private_host_is_not_asked_for().await;
}

#[tokio::test]
async fn a_vendors_answer_has_its_verdict() {
    conformance::a_vendors_answer_has_its_verdict().await;
}

mod events_are_tied_to_one_call_in_any_order {
    use super::*;

    #[tokio::test]
    async fn embedded() {
        conformance::events_are_tied_to_one_call_in_any_order(Shape::Embedded).await;
    }

    #[tokio::test]
    async fn production() {
        conformance::events_are_tied_to_one_call_in_any_order(Shape::Production).await;
    }
}
