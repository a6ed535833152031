//! The operator's own URL: what is not signed is refused.

use sandbox::Vendor::Target;
use serde_json::json;

use crate::World;

#[tokio::test]
async fn what_is_unsigned_signed_wrong_or_old_is_refused() {
    let world = World::new().await;
    let now = chrono::Utc::now().timestamp();
    for (at, signature) in [(None, None), (Some(now), Some("v1,AAAA")), (Some(now - 600), Some("v1,AAAA"))] {
        let mut request = world.ask(Target, reqwest::Method::POST, "").header("webhook-id", "msg_1");
        request = at.into_iter().fold(request, |request, at| request.header("webhook-timestamp", at));
        request = signature.into_iter().fold(request, |request, text| request.header("webhook-signature", text));
        assert_eq!(request.json(&json!({})).send().await.unwrap().status(), 401);
    }
    assert!(world.sandbox.state().target.messages.is_empty());
}
