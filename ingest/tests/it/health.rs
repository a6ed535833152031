//! What orchestrators and monitors see.

use serde_json::json;
use shared::testing::Shape;

use crate::edge::{ENDED, Edge};

#[tokio::test]
async fn it_is_alive_ready_and_counts_what_it_does() {
    shared::telemetry::metrics::install();
    let edge = Edge::start(Shape::Embedded).await;
    assert_eq!(edge.get("/livez").await.status(), 200);
    assert_eq!(edge.get("/readyz").await.status(), 200);
    edge.send(ENDED, json!({"call_id": 1000000001, "talking_time": 61}).to_string()).await;
    edge.send(ENDED, "nonsense").await;
    assert_eq!(edge.get("/metrics").await.status(), 404, "not for everybody");
    let text = shared::telemetry::metrics::render();
    for line in [
        "tapedeck_webhooks_total{provider=\"cloudtalk\",kind=\"call-ended\",answer=\"accepted\"}",
        "tapedeck_webhooks_total{provider=\"cloudtalk\",kind=\"unread\",answer=\"unusable\"}",
        "tapedeck_webhook_duration_seconds_bucket{provider=\"cloudtalk\",le=\"0.5\"}",
        "tapedeck_ingest_commit_batch_size_bucket",
    ] {
        assert!(text.contains(line), "{line} is missing:\n{text}");
    }
}
