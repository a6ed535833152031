//! GoHighLevel: contacts, tags, notes, custom fields, conversations, and what it refuses.

use reqwest::Method;
use sandbox::{Rate, Vendor::Ghl};
use serde_json::{Value, json};

use crate::{World, json};

async fn contact(world: &World) -> String {
    let fields = json!({"locationId": "LOC", "firstName": "Marta", "lastName": "Bianchi", "phone": "+393500000101"});
    let answer = world.post(Ghl, "/contacts/", fields).await;
    assert_eq!(answer.status(), 201);
    json(answer).await["contact"]["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_contact_is_found_by_phone_and_never_created_twice() {
    let world = World::new().await;
    let id = contact(&world).await;
    let search = "/contacts/search/duplicate?locationId=LOC&number=%2B393500000101";
    let found = json(world.get(Ghl, search).await).await;
    assert_eq!(found["contact"]["id"], id);
    assert!(found["traceId"].is_string());
    let elsewhere = world.get(Ghl, "/contacts/search/duplicate?locationId=OTHER&number=%2B393500000101").await;
    assert_eq!(json(elsewhere).await["contact"], Value::Null);
    let again = world.post(Ghl, "/contacts/", json!({"locationId": "LOC", "phone": "+39 350 000 0101"})).await;
    assert_eq!(again.status(), 400);
    let meta = json!({"contactId": id, "contactName": "marta bianchi", "matchingField": "phone"});
    assert_eq!(json(again).await["meta"], meta);
    let filters = json!([{"field": "phone", "operator": "eq", "value": "+393500000101"}]);
    let body = json!({"locationId": "LOC", "page": 1, "pageLimit": 20, "filters": filters});
    let listed = json(world.post(Ghl, "/contacts/search", body).await).await;
    assert_eq!((&listed["total"], &listed["contacts"][0]["id"]), (&json!(1), &json!(id)));
    assert_eq!(world.post(Ghl, "/contacts/search", json!({"locationId": "LOC"})).await.status(), 422);
}

#[tokio::test]
async fn upsert_finds_what_exists_and_a_changed_phone_is_found_anew() {
    let world = World::new().await;
    let id = contact(&world).await;
    let same = json!({"locationId": "LOC", "phone": "+393500000101", "email": "marta@example.com"});
    let answer = json(world.post(Ghl, "/contacts/upsert", same).await).await;
    assert_eq!((&answer["new"], &answer["contact"]["id"]), (&json!(false), &json!(id)));
    let moved = world.ask(Ghl, Method::PUT, &format!("/contacts/{id}")).json(&json!({"phone": "+393500000999"}));
    assert_eq!(json(moved.send().await.unwrap()).await["succeded"], true);
    let old = world.get(Ghl, "/contacts/search/duplicate?locationId=LOC&number=%2B393500000101").await;
    assert_eq!(json(old).await["contact"], Value::Null);
    let new = world.get(Ghl, "/contacts/search/duplicate?locationId=LOC&number=%2B393500000999").await;
    assert_eq!(json(new).await["contact"]["id"], id);
}

#[tokio::test]
async fn tags_are_lower_cased_and_added_but_a_put_overwrites_them() {
    let world = World::new().await;
    let id = contact(&world).await;
    let path = format!("/contacts/{id}/tags");
    let added = world.post(Ghl, &path, json!({"tags": ["CT-CallCompleted"]})).await;
    assert_eq!(added.status(), 201);
    let added = world.post(Ghl, &path, json!({"tags": ["ct-callcompleted", "CT-INBOUND"]})).await;
    assert_eq!(json(added).await["tags"], json!(["ct-callcompleted", "ct-inbound"]));
    let removed = world.ask(Ghl, Method::DELETE, &path).json(&json!({"tags": ["CT-Inbound"]})).send().await.unwrap();
    assert_eq!((removed.status().as_u16(), json(removed).await["tags"].clone()), (200, json!(["ct-callcompleted"])));
    let put = world.ask(Ghl, Method::PUT, &format!("/contacts/{id}")).json(&json!({"tags": ["New"]}));
    put.send().await.unwrap();
    assert_eq!(world.sandbox.state().ghl.contacts[0].contact.tags, ["new"]);
}

#[tokio::test]
async fn notes_are_listed_changed_and_deleted_and_the_same_body_makes_two() {
    let world = World::new().await;
    let id = contact(&world).await;
    let path = format!("/contacts/{id}/notes");
    let note = json!({"body": "Call ID: 123"});
    let first = world.post(Ghl, &path, note.clone()).await;
    assert_eq!(first.status(), 201);
    let first = json(first).await["note"]["id"].as_str().unwrap().to_owned();
    world.post(Ghl, &path, note).await;
    let changed = world.ask(Ghl, Method::PUT, &format!("{path}/{first}")).json(&json!({"body": "Call ID: 124"}));
    assert_eq!(changed.send().await.unwrap().status(), 200);
    let listed = json(world.get(Ghl, &path).await).await;
    let bodies: Vec<_> = listed["notes"].as_array().unwrap().iter().map(|note| note["body"].clone()).collect();
    assert_eq!(bodies, ["Call ID: 124", "Call ID: 123"]);
    let gone = world.ask(Ghl, Method::DELETE, &format!("{path}/{first}")).send().await.unwrap();
    assert_eq!(gone.status(), 200);
    assert_eq!(world.get(Ghl, &format!("{path}/{first}")).await.status(), 404);
    assert_eq!(world.sandbox.state().ghl.contacts[0].notes.len(), 1);
    assert_eq!(world.post(Ghl, &path, json!({"title": "no body"})).await.status(), 422);
}

#[tokio::test]
async fn custom_fields_exist_and_are_written_by_id_alone() {
    let world = World::new().await;
    let id = contact(&world).await;
    let fields = json(world.get(Ghl, "/locations/LOC/customFields?model=contact").await).await;
    let known: Vec<_> = fields["customFields"].as_array().unwrap().iter().map(|field| &field["fieldKey"]).collect();
    assert_eq!(known, ["contact.cloudtalk_last_recording", "contact.cloudtalk_recording_url"]);
    let new = json!({"name": "Call Score", "dataType": "NUMERICAL", "model": "contact"});
    let created = world.post(Ghl, "/locations/LOC/customFields", new).await;
    assert_eq!(created.status(), 201);
    assert_eq!(json(created).await["customField"]["fieldKey"], "contact.call_score");
    let put = |field: Value| {
        world.ask(Ghl, Method::PUT, &format!("/contacts/{id}")).json(&json!({"customFields": [field]})).send()
    };
    let field = &fields["customFields"][1]["id"];
    assert_eq!(put(json!({"id": field, "field_value": "https://a.example"})).await.unwrap().status(), 200);
    assert_eq!(put(json!({"key": "cloudtalk_recording_url", "field_value": "x"})).await.unwrap().status(), 422);
    assert_eq!(put(json!({"id": "unknown", "field_value": "x"})).await.unwrap().status(), 400);
    let read = json(world.get(Ghl, &format!("/contacts/{id}")).await).await;
    assert_eq!(read["contact"]["customFields"], json!([{"id": field, "value": "https://a.example"}]));
}

#[tokio::test]
async fn unknown_properties_contacts_and_credentials_are_refused() {
    let world = World::new().await;
    let id = contact(&world).await;
    let strange = world.ask(Ghl, Method::PUT, &format!("/contacts/{id}")).json(&json!({"locationId": "LOC"}));
    let strange = strange.send().await.unwrap();
    assert_eq!(strange.status(), 422);
    assert_eq!(json(strange).await["message"], json!(["property locationId should not exist"]));
    let nobody = world.get(Ghl, "/contacts/nobody").await;
    assert_eq!(nobody.status(), 400);
    assert_eq!(json(nobody).await["message"], "Contact with id nobody not found");
    let url = format!("{}/contacts/{id}", world.sandbox.base_urls().ghl);
    assert_eq!(world.client.get(&url).header("Version", "2021-07-28").send().await.unwrap().status(), 401);
    assert_eq!(world.client.get(&url).bearer_auth("pit-x").send().await.unwrap().status(), 401);
}

#[tokio::test]
async fn the_quota_is_announced_always_and_enforced_when_told() {
    let world = World::new().await;
    let free = world.get(Ghl, "/locations/LOC").await;
    assert_eq!(free.headers()["x-ratelimit-max"], "100");
    assert_eq!(free.headers()["x-ratelimit-interval-milliseconds"], "10000");
    world.sandbox.switch(|switches| switches.ghl = Some(Rate { max: 2, window_ms: 60_000 }));
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(world.get(Ghl, "/locations/LOC").await.status().as_u16());
    }
    assert_eq!(statuses, [200, 200, 429]);
}

#[tokio::test]
async fn a_call_is_logged_in_the_contacts_conversation() {
    let world = World::new().await;
    let id = contact(&world).await;
    let with = json!({"locationId": "LOC", "contactId": id});
    let created = world.post(Ghl, "/conversations/", with).await;
    assert_eq!(created.status(), 201);
    let conversation = json(created).await["conversation"]["id"].as_str().unwrap().to_owned();
    let search = format!("/conversations/search?locationId=LOC&contactId={id}&limit=1");
    assert_eq!(json(world.get(Ghl, &search).await).await["conversations"][0]["id"], conversation);
    let mut call = json!({
        "type": "Call", "conversationId": conversation, "contactId": id, "altId": "cloudtalk:1", "direction": "inbound",
        "call": {"to": "+390200000101", "from": "+393500000101", "status": "completed"},
    });
    let path = "/conversations/messages/inbound";
    let refused = world.post(Ghl, path, call.clone()).await;
    assert_eq!(refused.status(), 400);
    assert_eq!(json(refused).await["message"], "No conversationProviderId passed in body");
    call["conversationProviderId"] = "provider".into();
    let logged = json(world.post(Ghl, path, call.clone()).await).await;
    assert!(logged["messageId"].is_string(), "{logged}");
    call["call"]["from"] = "+393509999999".into();
    assert_eq!(world.post(Ghl, path, call).await.status(), 400);
    assert_eq!(world.sandbox.state().ghl.conversations[0].messages.len(), 1);
}
