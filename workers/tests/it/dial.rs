//! Who becomes a contact is called at once, once, by whom it is the turn of.

use std::time::Duration;

use chrono::{FixedOffset, TimeDelta};

use futures::future::join_all;
use sandbox::{CloudtalkAgent, DialledCall, Fault, FaultKind, Sandbox, Vendor};
use serde_json::{Value, json};
use shared::{
    db,
    domain::{EventId, EventKind, NewEvent, NewJob, Outcome, ProviderId, StepError, Verdict},
    service::{App, Role},
    testing::{Scratch, Shape, eventually},
};
use workers::{step::Run, steps::dial::Dial};

use crate::{
    given,
    running::{Running, SECRET},
};

struct Place {
    sandbox: Sandbox,
    app: App,
    _scratch: Scratch,
}

async fn place(shape: Shape, more: &[(&str, &str)]) -> Place {
    let sandbox = Sandbox::start(([127, 0, 0, 1], 0).into()).await.unwrap();
    let scratch = Scratch::new(shape).await;
    let env = scratch.env().with([
        ("CLOUDTALK_WEBHOOK_SECRET", "s"),
        ("CLOUDTALK_API_KEY", "id:secret"),
        ("CLOUDTALK_BASE_URL", &sandbox.base_urls().cloudtalk),
        ("DIAL_NEW_CONTACTS", "on"),
        ("DIAL_HOURS", "00:00-00:00"),
    ]);
    let env = env.with(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let app = App::open("test", env, Role::Whole).await.unwrap();
    Place { sandbox, app, _scratch: scratch }
}

fn contact(id: &str, phone: &str) -> Value {
    json!({"type": "ContactCreate", "id": id, "phone": phone, "firstName": "Ada", "dnd": false, "source": "form"})
}

impl Place {
    fn agent(&self, id: u64, availability: &str) {
        let (name, availability) = (format!("Agent {id}"), availability.to_owned());
        self.sandbox.set_agent(CloudtalkAgent { id, name, availability, outbound: true });
    }

    /// The webhook of a new contact, received so long ago.
    async fn event(&self, body: &Value, ago: Duration) -> EventId {
        let (id, now) = (EventId::new(), self.app.clock.now() - ago);
        let event = NewEvent {
            provider: ProviderId::new("gohighlevel"),
            account: "default".into(),
            kind: EventKind::NewContact,
            dedupe_key: id.to_string(),
            body: body.to_string().into_bytes(),
        };
        let incoming = db::events::Incoming { id, event, traceparent: None };
        db::events::record(&self.app.db, &[incoming], now, now).await.unwrap();
        id
    }

    async fn dial(&self, event: EventId) -> Result<Outcome, StepError> {
        Dial::new(&self.app).unwrap().run(&given::job(&NewJob::dial(event))).await
    }

    /// Somebody has just become a contact.
    async fn comes(&self, id: &str, phone: &str) -> Result<Outcome, StepError> {
        self.dial(self.event(&contact(id, phone), Duration::ZERO).await).await
    }

    fn rung(&self) -> Vec<u64> {
        self.sandbox.state().cloudtalk.dialled.iter().map(|call| call.agent_id).collect()
    }
}

fn skipped(outcome: Result<Outcome, StepError>) -> Option<String> {
    outcome.unwrap().skipped.map(|reason| reason.to_string())
}

#[tokio::test]
async fn agents_who_are_free_take_turns() {
    for shape in [Shape::Embedded, Shape::Production] {
        let at = place(shape, &[]).await;
        let mut turns = Vec::new();
        for person in 0..6 {
            for id in [11, 12, 13] {
                at.agent(id, "online");
            }
            at.agent(14, "paused");
            if person == 3 {
                at.agent(11, "calling");
            }
            let phone = format!("+39350000010{person}");
            assert_eq!(skipped(at.comes(&format!("C{person}"), &phone).await), None);
            turns.push(at.rung()[person]);
        }
        assert_eq!(turns, [11, 12, 13, 12, 11, 13], "{shape:?}: 11 was in a call when its turn came, and is next");
        assert_eq!(at.sandbox.state().cloudtalk.dialled[0], DialledCall { agent_id: 11, callee: 393_500_000_100 });
    }
}

#[tokio::test]
async fn nobody_is_called_twice_however_often_and_in_how_many_places_it_is_tried() {
    for shape in [Shape::Embedded, Shape::Production] {
        let at = place(shape, &[]).await;
        (11..19).for_each(|id| at.agent(id, "online"));
        // The webhooks of a marketplace app and of a workflow, each several times at once.
        let twice = [contact("C1", "+393500000100"), json!({"contact_id": "C1", "phone": "+39 350 0000100"})];
        let events = join_all(twice.iter().map(|body| at.event(body, Duration::ZERO))).await;
        let tries = join_all(events.iter().cycle().take(8).map(|event| at.dial(*event))).await;
        assert_eq!(tries.into_iter().filter(|tried| tried.as_ref().unwrap().skipped.is_none()).count(), 1);
        assert_eq!(at.rung().len(), 1, "{shape:?}");
        assert_eq!(
            skipped(at.comes("C2", "+393500000100").await).as_deref(),
            Some("called-already"),
            "the same person"
        );
        assert_eq!(at.sandbox.asked(Vendor::Cloudtalk, "/calls/create").len(), 1);
    }
}

#[tokio::test]
async fn a_call_whose_answer_was_lost_is_not_started_again() {
    let at = place(Shape::Embedded, &[]).await;
    (11..19).for_each(|id| at.agent(id, "online"));
    at.sandbox.fault(Fault::new(Vendor::Cloudtalk, FaultKind::ReplyLost).path("/calls/create").times(1));
    let event = at.event(&contact("C1", "+393500000100"), Duration::ZERO).await;
    let lost = at.dial(event).await.unwrap_err();
    assert_eq!((lost.verdict, lost.reason.as_ref()), (Verdict::Fail, "dial-unknown"));
    // A person replays it, and the worker dies right after asking.
    assert_eq!(skipped(at.dial(event).await).as_deref(), Some("perhaps-called-already"));
    at.sandbox.fault(Fault::new(Vendor::Cloudtalk, FaultKind::Hang { ms: 60_000 }).path("/calls/create").times(1));
    let event = at.event(&contact("C2", "+393500000200"), Duration::ZERO).await;
    assert!(tokio::time::timeout(Duration::from_millis(500), at.dial(event)).await.is_err(), "cut short");
    assert_eq!(skipped(at.dial(event).await).as_deref(), Some("perhaps-called-already"));
    assert_eq!(at.rung().len(), 1);
}

#[tokio::test]
async fn what_certainly_did_not_ring_is_tried_again() {
    let at = place(Shape::Embedded, &[]).await;
    (11..13).for_each(|id| at.agent(id, "online"));
    // Taken between the look and the call: the next one is rung.
    at.sandbox.fault(Fault::status(Vendor::Cloudtalk, 409).path("/calls/create").times(1));
    assert_eq!(skipped(at.comes("C1", "+393500000100").await), None);
    assert_eq!(at.rung(), [12]);
    at.sandbox.fault(Fault::status(Vendor::Cloudtalk, 406).path("/calls/create").times(1));
    let event = at.event(&contact("C2", "+393500000200"), Duration::ZERO).await;
    assert_eq!(at.dial(event).await.unwrap_err().verdict, Verdict::Fail);
    assert_eq!(skipped(at.dial(event).await), None, "once a person has mended it");
}

#[tokio::test]
async fn while_nobody_is_free_it_is_waited_for_so_long_and_no_longer() {
    let at = place(Shape::Embedded, &[("DIAL_AGENTS", "11, rob@example.test")]).await;
    at.agent(11, "offline");
    at.agent(12, "online");
    let nobody = at.comes("C1", "+393500000100").await.unwrap_err();
    assert_eq!(nobody.reason, "nobody-online", "12 is not one of those who may be rung");
    assert_eq!(nobody.verdict, Verdict::Snooze { after: Duration::from_secs(15) });
    let late = at.event(&contact("C2", "+393500000200"), Duration::from_secs(16 * 60)).await;
    assert_eq!(skipped(at.dial(late).await).as_deref(), Some("nobody-online"));
    at.agent(11, "online");
    assert_eq!(skipped(at.comes("C1", "+393500000100").await), None);
}

#[tokio::test]
async fn people_are_left_in_peace_at_night_or_when_they_want_it_or_when_they_are_not_new_to_us() {
    // Always night: an hour that began an hour from now.
    let now = shared::clock::Clock::system().now();
    let (from, to) = (now + Duration::from_secs(3600), now + Duration::from_secs(7200));
    let hours = format!("{}-{}", from.format("%H:%M"), to.format("%H:%M"));
    let at = place(Shape::Embedded, &[("DIAL_HOURS", &hours)]).await;
    at.agent(11, "online");
    let night = at.comes("C1", "+393500000100").await.unwrap_err();
    assert_eq!(night.reason, "quiet-hours");
    assert!(
        matches!(night.verdict, Verdict::Snooze { after } if (3500..=3600).contains(&after.as_secs())),
        "{night:?}"
    );
    let cases = [
        (json!({"id": "C1", "phone": "+393500000100", "dnd": true}), "do-not-disturb"),
        (json!({"id": "C1", "phone": "+393500000100", "source": "Tapedeck"}), "created-by-us"),
        (json!({"id": "C1", "email": "ada@example.test"}), "no-number"),
        (json!({"id": "C1", "phone": "+393500000100", "dateAdded": "2020-01-01T09:00:00.000Z"}), "not-new"),
        (json!({"contact_id": "C1", "phone": "+393500000100", "date_created": "2020-01-01T09:00:00.000Z"}), "not-new"),
    ];
    for (body, reason) in cases {
        let event = at.event(&body, Duration::ZERO).await;
        assert_eq!(skipped(at.dial(event).await).as_deref(), Some(reason));
    }
    assert!(at.rung().is_empty());
}

#[tokio::test]
async fn newcomers_who_come_together_share_one_look_at_the_agents() {
    let at = place(Shape::Embedded, &[]).await;
    (11..15).for_each(|id| at.agent(id, "online"));
    let step = Dial::new(&at.app).unwrap();
    let people: Vec<Value> = (0..4).map(|n| contact(&format!("C{n}"), &format!("+39350000010{n}"))).collect();
    let events = join_all(people.iter().map(|body| at.event(body, Duration::ZERO))).await;
    let jobs: Vec<_> = events.iter().map(|event| given::job(&NewJob::dial(*event))).collect();
    let tries = join_all(jobs.iter().map(|job| step.run(job))).await;
    assert!(tries.iter().all(Result::is_ok), "{tries:?}");
    let mut rung = at.rung();
    rung.sort_unstable();
    assert_eq!(rung, [11, 12, 13, 14]);
    assert_eq!(at.sandbox.asked(Vendor::Cloudtalk, "/agents/index").len(), 1);
}

#[tokio::test]
async fn a_time_without_a_zone_is_of_the_zone_in_which_people_are_called() {
    let at = place(Shape::Embedded, &[("DIAL_TIMEZONE", "Etc/GMT+8")]).await;
    at.agent(11, "online");
    let west = FixedOffset::west_opt(8 * 3600).unwrap();
    let local = |ago: TimeDelta| (at.app.clock.now() - ago).with_timezone(&west).format("%Y-%m-%d %H:%M:%S");
    for (ago, expected) in [(TimeDelta::hours(2), Some("not-new")), (TimeDelta::minutes(5), None)] {
        let body = json!({"contact_id": "C1", "phone": "+393500000100", "date_created": local(ago).to_string()});
        let event = at.event(&body, Duration::ZERO).await;
        assert_eq!(skipped(at.dial(event).await).as_deref(), expected);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_contact_is_called_also_when_the_mirror_cannot_carry_it() {
    let on =
        [("MIRROR", "on"), ("DIAL_NEW_CONTACTS", "on"), ("DIAL_HOURS", "00:00-00:00"), ("GHL_WEBHOOK_SECRET", SECRET)];
    let at = Running::start(Shape::Embedded, &on).await;
    let agent = CloudtalkAgent { id: 11, name: "Agent 11".into(), availability: "online".into(), outbound: true };
    at.sandbox.set_agent(agent);
    at.sandbox.fault(Fault::status(Vendor::Ghl, 403).path("/contacts"));
    let body = json!({"contact_id": "C1", "phone": "+393500000100", "first_name": "Ada"});
    let request = at.app.outside.http.post(format!("{}/api/ghl-webhooks/new-contact", at.url)).bearer_auth(SECRET);
    assert_eq!(request.json(&body).send().await.unwrap().status(), 200);
    eventually("an agent's phone rings", async || at.sandbox.state().cloudtalk.dialled.len() == 1).await;
    eventually("nothing is due", async || db::jobs::unfinished(&at.app.db).await.unwrap() == 0).await;
    let stats = db::jobs::stats(&at.app.db, at.app.clock.now()).await.unwrap();
    assert!(stats.iter().any(|queue| queue.queue == "mirror" && queue.dead == 1), "and a person is to look: {stats:?}");
    at.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_the_webhook_of_a_new_contact_to_an_agents_phone_once_however_often_it_is_sent() {
    for shape in [Shape::Embedded, Shape::Production] {
        let on = [("DIAL_NEW_CONTACTS", "on"), ("DIAL_HOURS", "00:00-00:00"), ("GHL_WEBHOOK_SECRET", SECRET)];
        let at = Running::start(shape, &on).await;
        for id in [11, 12] {
            let (name, availability) = (format!("Agent {id}"), "online".to_owned());
            at.sandbox.set_agent(CloudtalkAgent { id, name, availability, outbound: true });
        }
        let url = format!("{}/api/ghl-webhooks/new-contact", at.url);
        let body = json!({"contact_id": "C1", "phone": "+393500000100", "first_name": "Ada"});
        for _ in 0..3 {
            let answer = at.app.outside.http.post(&url).bearer_auth(SECRET).json(&body).send().await.unwrap();
            assert_eq!(answer.status(), 200);
        }
        eventually("an agent's phone rings", async || at.sandbox.state().cloudtalk.dialled.len() == 1).await;
        eventually("nothing is due", async || db::jobs::unfinished(&at.app.db).await.unwrap() == 0).await;
        let dialled = at.sandbox.state().cloudtalk.dialled;
        assert_eq!(dialled, [DialledCall { agent_id: 11, callee: 393_500_000_100 }], "{shape:?}");
        at.stop().await;
    }
}

/// The roadmap in one go: transferred by the mirror, in the campaign of its tag, and an agent's phone rings, once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_contact_of_the_crm_is_in_cloudtalk_and_its_campaign_and_is_called() {
    let on = [
        ("MIRROR", "on"),
        ("DIAL_NEW_CONTACTS", "on"),
        ("DIAL_HOURS", "00:00-00:00"),
        ("CAMPAIGN_RULES", "hot lead=Autumn"),
        ("GHL_WEBHOOK_SECRET", SECRET),
    ];
    let at = Running::start(Shape::Production, &on).await;
    let agent = CloudtalkAgent { id: 11, name: "Agent 11".into(), availability: "online".into(), outbound: true };
    at.sandbox.set_agent(agent);
    let by_hand = async |method: reqwest::Method, path: &str, body: Value| -> Value {
        let url = format!("{}/control{path}", at.sandbox.url());
        at.app.outside.http.request(method, url).json(&body).send().await.unwrap().json().await.unwrap()
    };
    let campaign = json!({"name": "Autumn", "ContactsTag": [{"name": "dialer"}]});
    by_hand(reqwest::Method::PUT, "/cloudtalk/campaigns/add.json", campaign).await;
    let ada = json!({"locationId": "LOC1", "firstName": "Ada", "phone": "+393500000100", "tags": ["hot lead"]});
    let made = by_hand(reqwest::Method::POST, "/ghl/contacts/", ada).await;
    let webhook = json!({"contact_id": made["contact"]["id"], "phone": "+393500000100", "tags": "hot lead"});
    for _ in 0..2 {
        let request = at.app.outside.http.post(format!("{}/api/ghl-webhooks/new-contact", at.url)).bearer_auth(SECRET);
        assert_eq!(request.json(&webhook).send().await.unwrap().status(), 200);
    }
    eventually("it has rung and nothing is due", async || {
        let rung = !at.sandbox.state().cloudtalk.dialled.is_empty();
        rung && db::jobs::unfinished(&at.app.db).await.unwrap() == 0
    })
    .await;
    let held = at.sandbox.state().cloudtalk;
    assert_eq!((held.contacts.len(), held.dialled.len()), (1, 1));
    assert!(["hot lead", "dialer"].iter().all(|tag| held.contacts[0].tags.iter().any(|held| held == tag)));
    at.stop().await;
}
