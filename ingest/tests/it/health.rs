//! What orchestrators and monitors see.

use serde_json::json;
use shared::{
    telemetry::metrics,
    testing::{
        Shape,
        series::{Series, Shows},
    },
};

use crate::edge::{ENDED, Edge};

#[tokio::test]
async fn it_is_alive_ready_and_counts_what_it_does() {
    metrics::install();
    let edge = Edge::start(Shape::Embedded).await;
    assert_eq!(edge.get("/livez").await.status(), 200);
    assert_eq!(edge.get("/readyz").await.status(), 200);
    edge.send(ENDED, json!({"call_id": 1000000001, "talking_time": 61}).to_string()).await;
    edge.send(ENDED, "nonsense").await;
    assert_eq!(edge.get("/metrics").await.status(), 404, "not for everybody");
    let shown = Series::read(&metrics::render());
    assert_eq!(shown.against_the_page(Shows::Ingest), [""; 0], "{shown}");
    let of = |kind, answer| {
        shown.sum("tapedeck_webhooks_total", &[("provider", "cloudtalk"), ("kind", kind), ("answer", answer)])
    };
    // Other tests of this process send theirs.
    assert!(of("call-ended", "accepted") >= 1.0 && of("unread", "unusable") >= 1.0, "{shown}");
    let answered = shown.sum("tapedeck_webhook_duration_seconds_count", &[("provider", "cloudtalk")]);
    let took = shown.sum("tapedeck_webhook_duration_seconds_sum", &[("provider", "cloudtalk")]);
    assert!(answered >= 2.0 && took > 0.0 && took / answered < 30.0, "{shown}");
    let commits = shown.sum("tapedeck_ingest_commit_batch_size_count", &[]);
    assert!(commits >= 1.0 && shown.sum("tapedeck_ingest_commit_batch_size_sum", &[]) >= commits, "{shown}");
}
