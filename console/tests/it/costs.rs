//! What is said of money.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

use serde_json::json;
use shared::{
    domain::{CallStatus, Purchase, Step},
    testing::Shape,
};

use crate::desk::{Desk, facts};

#[tokio::test]
async fn the_total_is_exact_and_counts_what_has_no_price() {
    for shape in [Shape::Embedded, Shape::Production] {
        let desk = Desk::start(shape).await;
        let call = desk.call(1, facts(CallStatus::Completed, "+393500000001")).await;
        for (step, bought, cost) in [
            (Step::Transcribe, Purchase::Audio(60.0), Some(0.1)),
            (Step::Transcribe, Purchase::Audio(60.0), Some(0.2)),
            (Step::Analyze, Purchase::Tokens { input: 9, output: 1 }, None),
        ] {
            let mut held = desk.app.outside.ledger.purse(call, step).reserve(cost).await.unwrap();
            held.sent();
            held.paid("model", bought, cost).await;
        }
        let page = desk.ask("/costs").await;
        assert_eq!(page["total"], json!({"requests": 3, "cost": 0.3, "unpriced": 1}), "{shape:?}");
        let costs: Vec<_> = page["costs"].as_array().unwrap().iter().map(|line| line["cost"].clone()).collect();
        assert_eq!(costs, [json!(null), json!(0.3)], "{shape:?}");
    }
}
