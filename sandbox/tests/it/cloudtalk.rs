//! CloudTalk's contacts, and the webhooks that it sends when they change.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Json, Router, extract::Path, routing::post};
use reqwest::{Method, StatusCode};
use sandbox::Vendor::Cloudtalk;
use serde_json::{Value, json};

use crate::{World, json};

#[tokio::test]
async fn a_set_that_is_sent_replaces_what_was_there_and_an_empty_text_clears_it() {
    let world = World::new().await;
    let body =
        json!({"name": "Ada", "ContactNumber": [{"public_number": "+39 350 1"}], "ContactsTag": [{"name": "a"}]});
    let added = world.ask(Cloudtalk, Method::PUT, "/contacts/add.json").json(&body).send().await.unwrap();
    assert_eq!(added.status(), StatusCode::CREATED);
    let id = json(added).await["responseData"]["data"]["id"].as_str().unwrap().to_owned();
    let edit = format!("/contacts/edit/{id}.json");
    let edited = world.post(Cloudtalk, &edit, json!({"ContactsTag": [{"name": "b"}], "ContactNumber": ""})).await;
    assert_eq!(edited.status(), 200);
    let contact = world.sandbox.state().cloudtalk.contacts[0].clone();
    assert_eq!(
        (contact.name.as_str(), &contact.phones[..], &contact.tags[..]),
        ("Ada", &[][..], &["b".to_owned()][..])
    );
    let nameless = world.ask(Cloudtalk, Method::PUT, "/contacts/add.json").json(&json!({})).send().await.unwrap();
    assert_eq!(nameless.status(), StatusCode::NOT_ACCEPTABLE);
    assert_eq!(world.get(Cloudtalk, "/contacts/show/7.json").await.status(), 404);
    let unsigned = world.client.get(format!("{}/contacts/index.json", world.sandbox.base_urls().cloudtalk)).send();
    assert_eq!(unsigned.await.unwrap().status(), 401);
}

#[tokio::test]
async fn changes_through_the_api_and_by_hand_are_told_in_webhooks_once_somebody_wants_them() {
    let world = World::new().await;
    let told = Arc::new(Mutex::new(Vec::<(String, Value)>::new()));
    let take = {
        let told = told.clone();
        async move |Path(event): Path<String>, Json(body): Json<Value>| told.lock().unwrap().push((event, body))
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let routes = Router::new().route("/api/cloudtalk-webhooks/{event}", post(take));
    tokio::spawn(async move { axum::serve(listener, routes).await });
    let control = format!("{}/control", world.sandbox.url());
    let hook = json!({"vendor": "cloudtalk", "base": base, "secret": "s"});
    world.client.post(format!("{control}/webhooks")).json(&hook).send().await.unwrap();

    let body = json!({"name": "Ada", "ContactNumber": [{"public_number": 393_500_000_001_u64}]});
    world.client.put(format!("{control}/cloudtalk/contacts/add.json")).json(&body).send().await.unwrap();
    let id = world.sandbox.state().cloudtalk.contacts[0].id;
    let tags = json!({"tags": ["VIP"]});
    for _ in 0..2 {
        let tagged = world.ask(Cloudtalk, Method::PUT, &format!("/contacts/addTags/{id}.json")).json(&tags);
        assert_eq!(json(tagged.send().await.unwrap()).await["responseData"]["data"]["tags"][0]["id"], "1");
    }
    let note = json!({"note": "Call later"});
    world.ask(Cloudtalk, Method::PUT, &format!("/notes/add/{id}.json")).json(&note).send().await.unwrap();

    let answered = || world.sandbox.webhooks_sent(Cloudtalk).iter().flatten().count();
    tokio::time::timeout(Duration::from_secs(20), async {
        while answered() < 3 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    let mut told = told.lock().unwrap().clone();
    told.sort_by(|a, b| a.0.cmp(&b.0));
    let events: Vec<_> = told.iter().map(|(event, _)| event.as_str()).collect();
    assert_eq!(events, ["contact-updated", "new-note", "new-tag"], "a tag that was there is not new");
    assert!(told.iter().all(|(_, body)| body["contact_id"] == id && body["external_number"] == 393_500_000_001_u64));
    assert_eq!((&told[1].1["note_content"], &told[2].1["tag_name"]), (&json!("Call later"), &json!("VIP")));
    assert_eq!(world.sandbox.ledger().len(), 3, "what is done by hand is nobody's request");
}
