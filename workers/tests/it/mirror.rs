//! Contacts, tags, notes and deals between CloudTalk and GoHighLevel: both simulated, both telling of every change, ours
//! included, and everything of ours between them real.

use reqwest::Method;
use sandbox::{CloudtalkContact, ContactState, Fault, FaultKind, LedgerEntry, Vendor};
use serde_json::{Value, json};
use shared::testing::{Shape, eventually};

use crate::running::{Running, SECRET};

/// The key whose seed is 32 times 0x42.
const PUBLIC_KEY: &str = "MCowBQYDK2VwAyEAIVL40Zt5HSRFMkLhXy6rbLfP+ntqXtMAl5YOBpiB2xI=";
const SETTINGS: [(&str, &str); 5] = [
    ("MIRROR", "on"),
    ("GHL_WEBHOOK_PUBLIC_KEY", PUBLIC_KEY),
    ("GHL_WEBHOOK_SECRET", SECRET),
    ("CLOUDTALK_RATE_PER_MINUTE", "0"),
    ("GHL_RATE_PER_10S", "0"),
];

/// Where nobody hears what is told.
const NOWHERE: &str = "http://127.0.0.1:9";

/// Both sides, wired to us.
struct Sides(Running);

impl Sides {
    async fn start(shape: Shape) -> Self {
        Self::signed(shape, &format!("ed25519:{}", "42".repeat(32))).await
    }

    /// With this in GoHighLevel's hands to show who it is.
    async fn signed(shape: Shape, secret: &str) -> Self {
        let running = Running::start(shape, &SETTINGS).await;
        running.sandbox.send_webhooks(Vendor::Ghl, &running.url, secret);
        running.sandbox.send_webhooks(Vendor::Cloudtalk, &running.url, SECRET);
        Self(running)
    }

    /// What a person does in one of the systems.
    async fn by_hand(&self, method: Method, path: &str, body: Value) -> Value {
        let url = format!("{}/control{path}", self.0.sandbox.url());
        let answer = self.0.app.outside.http.request(method, url).json(&body).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.json().await.unwrap()
    }

    /// A webhook with the secret.
    fn tell(&self, route: &str, body: Value) -> impl Future<Output = ()> + use<> {
        let request =
            self.0.app.outside.http.post(format!("{}/api/{route}", self.0.url)).bearer_auth(SECRET).json(&body);
        async move { assert_eq!(request.send().await.unwrap().status(), 200) }
    }

    /// Waits until no job is left.
    async fn done(&self) {
        let db = &self.0.app.db;
        eventually("all is carried", async || shared::db::jobs::unfinished(db).await.unwrap() == 0).await;
    }

    async fn new_in_crm(&self, mut contact: Value) -> String {
        contact["locationId"] = "LOC1".into();
        let answer = self.by_hand(Method::POST, "/ghl/contacts/", contact).await;
        answer["contact"]["id"].as_str().unwrap().to_owned()
    }

    async fn new_in_cloudtalk(&self, contact: Value) -> String {
        let answer = self.by_hand(Method::PUT, "/cloudtalk/contacts/add.json", contact).await;
        answer["responseData"]["data"]["id"].as_str().unwrap().to_owned()
    }

    /// Waits until every webhook is answered, every job done, and nothing came of it. Returns what was written since the
    /// last time: to CloudTalk and to GoHighLevel.
    async fn settles(&self) -> (Vec<String>, Vec<String>) {
        let (sandbox, db) = (&self.0.sandbox, &self.0.app.db);
        let told = || -> Vec<_> {
            [Vendor::Ghl, Vendor::Cloudtalk].into_iter().flat_map(|vendor| sandbox.webhooks_sent(vendor)).collect()
        };
        eventually("all is told and carried", async || {
            let before = told();
            let done = before.iter().all(Option::is_some) && shared::db::jobs::unfinished(db).await.unwrap() == 0;
            done && told().len() == before.len()
        })
        .await;
        assert!(told().iter().flatten().all(|answer| answer.status == 200), "{:?}", told());
        let is_write = |entry: &LedgerEntry| entry.method != "GET" && !entry.path.ends_with("/search");
        let writes = |vendor| {
            let of = sandbox.asked(vendor, "").into_iter().filter(is_write);
            of.map(|entry| format!("{} {}", entry.method, entry.path)).collect()
        };
        let written = (writes(Vendor::Cloudtalk), writes(Vendor::Ghl));
        sandbox.clear_ledger();
        written
    }

    async fn expect(&self, what: &str, cloudtalk: usize, crm: usize) {
        let written = self.settles().await;
        assert_eq!((written.0.len(), written.1.len()), (cloudtalk, crm), "{what}: {written:?}");
    }

    fn cloudtalk(&self) -> Vec<CloudtalkContact> {
        self.0.sandbox.state().cloudtalk.contacts
    }

    fn crm(&self) -> Vec<ContactState> {
        self.0.sandbox.state().ghl.contacts
    }
}

async fn ping_pong(sides: Sides) {
    let crm = sides
        .new_in_crm(json!({"phone": "+393501234567", "firstName": "Mario", "lastName": "Rossi", "tags": ["Lead"]}))
        .await;
    sides.expect("a new contact in the CRM", 1, 0).await;
    let [there] = &sides.cloudtalk()[..] else { panic!("one contact") };
    assert_eq!(
        (there.name.as_str(), &there.phones[..], &there.tags[..]),
        ("Mario Rossi", &[393501234567][..], &["lead".to_owned()][..])
    );
    let edit = format!("/cloudtalk/contacts/edit/{}.json", there.id);
    let put = format!("/ghl/contacts/{crm}");

    sides
        .by_hand(Method::POST, &edit, json!({"name": "Super Mario", "ContactEmail": [{"email": "m@example.test"}]}))
        .await;
    sides.expect("an edit in CloudTalk", 0, 1).await;
    let [here] = &sides.crm()[..] else { panic!("one contact") };
    assert_eq!(here.contact.contact_name.as_deref(), Some("super mario"));
    assert_eq!(here.contact.email.as_deref(), Some("m@example.test"));

    sides.by_hand(Method::PUT, &put, json!({"firstName": "Mario", "lastName": "Rossi"})).await;
    sides.expect("the edit undone in the CRM", 1, 0).await;
    assert_eq!(sides.cloudtalk()[0].name, "Mario Rossi");

    sides.by_hand(Method::POST, &edit, json!({"name": "Super Mario"})).await;
    sides.expect("the same edit again", 0, 1).await;
    assert_eq!(sides.crm()[0].contact.contact_name.as_deref(), Some("super mario"));

    sides
        .by_hand(Method::PUT, &format!("/cloudtalk/contacts/addTags/{}.json", there.id), json!({"tags": ["VIP"]}))
        .await;
    sides.expect("a tag in CloudTalk", 0, 1).await;
    assert_eq!(sides.crm()[0].contact.tags, ["lead", "vip"]);
    sides.by_hand(Method::POST, &format!("{put}/tags"), json!({"tags": ["hot"]})).await;
    sides.expect("a tag in the CRM", 1, 0).await;
    assert_eq!(sides.cloudtalk()[0].tags, ["lead", "VIP", "hot"]);
    sides.by_hand(Method::DELETE, &format!("{put}/tags"), json!({"tags": ["vip"]})).await;
    sides.expect("a tag taken away in the CRM", 1, 0).await;
    assert_eq!(sides.cloudtalk()[0].tags, ["lead", "hot"]);

    sides.by_hand(Method::PUT, &format!("/cloudtalk/notes/add/{}.json", there.id), json!({"note": "Call later"})).await;
    sides.expect("a note in CloudTalk", 0, 1).await;
    sides.by_hand(Method::POST, &format!("{put}/notes"), json!({"body": "Prefers mornings"})).await;
    sides.expect("a note in the CRM", 1, 0).await;
    let notes: Vec<_> = sides.crm()[0].notes.iter().map(|note| note.body.clone()).collect();
    assert_eq!(notes, ["[CloudTalk] Call later\nNote ID: 1", "Prefers mornings"]);
    let notes: Vec<_> = sides.cloudtalk()[0].notes.iter().map(|note| note.note.clone()).collect();
    assert_eq!(notes[0], "Call later");
    assert!(notes[1].starts_with("[GoHighLevel] Prefers mornings\nNote ID: ") && notes.len() == 2, "{notes:?}");
    sides.0.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_change_ends_after_one_write_across_embedded() {
    ping_pong(Sides::start(Shape::Embedded).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_change_ends_after_one_write_across_in_production() {
    ping_pong(Sides::start(Shape::Production).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_change_ends_after_one_write_across_when_workflows_tell() {
    ping_pong(Sides::signed(Shape::Embedded, SECRET).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_who_is_new_on_both_sides_at_once_is_one_person() {
    let sides = Sides::start(Shape::Production).await;
    for vendor in [Vendor::Ghl, Vendor::Cloudtalk] {
        sides.0.sandbox.send_webhooks(vendor, NOWHERE, SECRET);
    }
    let mut events = Vec::new();
    for n in 0..8 {
        let phone = format!("+39350123450{n}");
        let crm = sides.new_in_crm(json!({"phone": phone, "firstName": "Ada", "tags": ["lead"]})).await;
        let cloudtalk = sides.new_in_cloudtalk(json!({
            "name": "Ada", "ContactNumber": [{"public_number": phone}], "ContactsTag": [{"name": "vip"}],
        }));
        events.push(sides.tell("ghl-webhooks/new-contact", json!({"contact_id": crm, "phone": phone})));
        events.push(sides.tell("cloudtalk-webhooks/contact-updated", json!({"contact_id": cloudtalk.await})));
    }
    futures::future::join_all(events).await;
    sides.done().await;
    assert_eq!((sides.cloudtalk().len(), sides.crm().len()), (8, 8));
    for contact in sides.crm() {
        let mut tags = contact.contact.tags;
        tags.sort_unstable();
        assert_eq!(tags, ["lead", "vip"]);
    }
    assert!(sides.cloudtalk().iter().all(|contact| contact.tags == ["vip", "lead"]), "{:?}", sides.cloudtalk());
    sides.0.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_that_tell_of_one_new_person_many_times_and_out_of_order_make_one_contact() {
    let sides = Sides::start(Shape::Production).await;
    sides.0.sandbox.send_webhooks(Vendor::Ghl, NOWHERE, SECRET);
    let id = sides.new_in_crm(json!({"phone": "+393501234567", "firstName": "New", "lastName": "Name"})).await;
    let events = (0..12).map(|n| {
        let old = json!({
            "contact_id": id, "full_name": format!("Old Name {n}"), "phone": "+393501234567", "tags": "gone",
        });
        let route = if n % 2 == 0 { "new-contact" } else { "new-tag" };
        sides.tell(&format!("ghl-webhooks/{route}"), old)
    });
    futures::future::join_all(events.collect::<Vec<_>>()).await;
    sides.done().await;
    let [contact] = &sides.cloudtalk()[..] else { panic!("one contact, not {}", sides.cloudtalk().len()) };
    assert_eq!(
        (contact.name.as_str(), contact.tags.len()),
        ("New Name", 0),
        "what is carried is what is, not what was"
    );
    assert_eq!(sides.0.sandbox.asked(Vendor::Cloudtalk, "/contacts/add").len(), 1);
    sides.0.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_side_refuses_is_left_out_and_holds_up_nothing_else() {
    let sides = Sides::start(Shape::Embedded).await;
    let bob = json!({"phone": "+393501234568", "firstName": "Bob", "email": "bob@example.test"});
    sides.new_in_crm(bob).await;
    let ada = sides.new_in_crm(json!({"phone": "+393501234567", "firstName": "Ada", "email": "none"})).await;
    sides.settles().await;
    let there = |sides: &Sides| sides.cloudtalk().into_iter().find(|c| c.phones == [393501234567]).unwrap();
    assert_eq!(
        (there(&sides).name.as_str(), there(&sides).emails.len()),
        ("Ada", 0),
        "CloudTalk takes no such address"
    );

    // The CRM has that address for somebody else.
    let edit = format!("/cloudtalk/contacts/edit/{}.json", there(&sides).id);
    let edited = json!({"name": "Ada Byron", "ContactEmail": [{"email": "bob@example.test"}]});
    sides.by_hand(Method::POST, &edit, edited).await;
    sides.settles().await;
    let here = |sides: &Sides| sides.crm().into_iter().find(|state| state.contact.id == ada).unwrap().contact;
    assert_eq!(here(&sides).contact_name.as_deref(), Some("ada byron"));
    assert_eq!(here(&sides).email.as_deref(), Some("none"));

    sides.by_hand(Method::POST, &edit, json!({"name": "Ada Lovelace"})).await;
    sides.expect("another change, and not what was refused", 0, 1).await;
    assert_eq!(here(&sides).contact_name.as_deref(), Some("ada lovelace"));
    let tags = json!({"tags": ["vip"]});
    sides.by_hand(Method::POST, &format!("/ghl/contacts/{ada}/tags"), tags).await;
    sides.expect("a change on the other side", 1, 0).await;
    assert_eq!(there(&sides).tags, ["vip"]);
    let stats = shared::db::jobs::stats(&sides.0.app.db, sides.0.app.clock.now()).await.unwrap();
    assert!(stats.iter().all(|queue| queue.dead == 0), "{stats:?}");
    sides.0.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_extension_among_the_numbers_stays_when_the_number_changes() {
    let sides = Sides::start(Shape::Embedded).await;
    let numbers = json!([{"public_number": "+393501234567"}, {"public_number": "101"}]);
    sides.new_in_cloudtalk(json!({"name": "Ada", "ContactNumber": numbers})).await;
    sides.settles().await;
    let here = sides.crm().remove(0).contact.id;
    sides.by_hand(Method::PUT, &format!("/ghl/contacts/{here}"), json!({"phone": "+393507654321"})).await;
    sides.expect("the new number", 1, 0).await;
    assert_eq!(sides.cloudtalk()[0].phones, [393507654321, 101]);
    sides.0.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_note_whose_answer_was_lost_is_copied_once() {
    let sides = Sides::start(Shape::Embedded).await;
    let crm = sides.new_in_crm(json!({"phone": "+393501234567", "firstName": "Mario"})).await;
    sides.settles().await;
    sides.0.sandbox.fault(Fault::new(Vendor::Cloudtalk, FaultKind::ReplyLost).path("/notes/add").times(1));
    sides.by_hand(Method::POST, &format!("/ghl/contacts/{crm}/notes"), json!({"body": "Prefers mornings"})).await;
    sides.expect("the lost write alone", 1, 0).await;
    assert_eq!(sides.cloudtalk()[0].notes.len(), 1);
    sides.0.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deal_that_moves_is_told_by_a_note_and_tags_that_follow_it() {
    let sides = Sides::start(Shape::Embedded).await;
    let crm = sides.new_in_crm(json!({"phone": "+393501234567", "firstName": "Mario"})).await;
    let deal = json!({
        "locationId": "LOC1", "contactId": crm, "pipelineId": "P", "name": "New roof", "status": "open",
    });
    let deal = sides.by_hand(Method::POST, "/ghl/opportunities/", deal).await;
    let id = deal["opportunity"]["id"].as_str().unwrap().to_owned();
    sides.settles().await;

    let put = format!("/ghl/opportunities/{id}");
    sides.by_hand(Method::PUT, &put, json!({"pipelineStageId": "stage-qualified"})).await;
    sides.settles().await;
    let told = |sides: &Sides| {
        let contact = sides.cloudtalk().remove(0);
        (contact.notes.last().map(|note| note.note.clone()).unwrap_or_default(), contact.notes.len(), contact.tags)
    };
    let note = format!("[GoHighLevel] Opportunity \"New roof\": stage Qualified in Sales, status open\nDeal ID: {id}");
    assert_eq!(told(&sides), (note, 1, vec!["GHL-Stage-Qualified".to_owned()]));

    sides.by_hand(Method::PUT, &put, json!({"pipelineStageId": "stage-closed", "status": "won"})).await;
    sides.settles().await;
    let note = format!("[GoHighLevel] Opportunity \"New roof\": stage Closed in Sales, status won\nDeal ID: {id}");
    let tags = vec!["GHL-Stage-Closed".to_owned(), "GHL-Won".to_owned()];
    assert_eq!(told(&sides), (note, 2, tags), "both changes were told in one");
    assert!(sides.crm()[0].notes.is_empty() && sides.crm()[0].contact.tags.is_empty(), "and nothing came back");
    sides.0.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_calls_leave_in_the_crm_is_not_carried_to_cloudtalk() {
    let sides = Sides::start(Shape::Embedded).await;
    let call = sandbox::PlaceCall::new(&sides.0.url, SECRET, "billing");
    sides.0.sandbox.place_call(call).await.unwrap();
    eventually("the CRM has the feedback", async || {
        sides.crm().first().is_some_and(|contact| contact.notes.len() == 2)
    })
    .await;
    sides.settles().await;
    let [contact] = &sides.cloudtalk()[..] else { panic!("the contact that the sink made is new to CloudTalk") };
    assert_eq!((contact.notes.len(), contact.tags.len()), (0, 0), "{:?}", contact.tags);
    sides.0.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_carried_unless_it_was_switched_on() {
    let running = Running::start(Shape::Embedded, &[("GHL_WEBHOOK_SECRET", SECRET)]).await;
    running.sandbox.send_webhooks(Vendor::Ghl, &running.url, SECRET);
    let sides = Sides(running);
    sides.new_in_crm(json!({"phone": "+393501234567", "firstName": "Mario"})).await;
    sides.expect("nothing", 0, 0).await;
    assert!(sides.cloudtalk().is_empty());
    sides.0.stop().await;
}
