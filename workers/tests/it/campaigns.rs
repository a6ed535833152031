//! Contacts join campaigns by the rules of their tags.

use std::time::Duration;

use sandbox::{Fault, Sandbox, Vendor};
use serde_json::{Value, json};
use shared::{
    db,
    domain::{EventId, EventKind, NewEvent, NewJob, Outcome, ProviderId, StepError, Verdict},
    service::{App, Role},
    testing::{Scratch, Shape},
};
use workers::{step::Run, steps::mirror::Mirror};

use crate::given;

struct Place {
    sandbox: Sandbox,
    app: App,
    _scratch: Scratch,
}

impl Place {
    async fn new(rules: &str) -> Self {
        Self::with(rules, &[]).await
    }

    async fn with(rules: &str, more: &[(&str, &str)]) -> Self {
        let sandbox = Sandbox::start(([127, 0, 0, 1], 0).into()).await.unwrap();
        let scratch = Scratch::new(Shape::Embedded).await;
        let env = scratch.env().with([
            ("CLOUDTALK_WEBHOOK_SECRET", "s"),
            ("CLOUDTALK_API_KEY", "id:secret"),
            ("CLOUDTALK_BASE_URL", &sandbox.base_urls().cloudtalk),
            ("CAMPAIGN_RULES", rules),
            ("GHL_API_KEY", "pit-key"),
            ("GHL_LOCATION_ID", "default"),
            ("GHL_BASE_URL", &sandbox.base_urls().ghl),
        ]);
        let env = env.with(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let app = App::open("test", env, Role::Whole).await.unwrap();
        let place = Self { sandbox, app, _scratch: scratch };
        for (name, tag) in [("Autumn", "dialer-autumn"), ("Winter", "dialer-winter")] {
            place.by_hand("campaigns/add.json", &json!({"name": name, "ContactsTag": [{"name": tag}]})).await;
        }
        place.new_contact("Ada", 393_500_000_001).await;
        place
    }

    async fn new_contact(&self, name: &str, phone: u64) {
        let contact = json!({"name": name, "ContactNumber": [{"public_number": phone}]});
        self.by_hand("contacts/add.json", &contact).await;
    }

    async fn by_hand(&self, path: &str, body: &Value) {
        let url = format!("{}/control/cloudtalk/{path}", self.sandbox.url());
        assert_eq!(self.app.outside.http.put(url).json(body).send().await.unwrap().status(), 201);
    }

    async fn happens(&self, source: &'static str, kind: EventKind, body: Value) {
        self.happened(Duration::ZERO, source, kind, body).await.unwrap();
    }

    /// So long ago.
    async fn happened(
        &self,
        ago: Duration,
        source: &'static str,
        kind: EventKind,
        body: Value,
    ) -> Result<Outcome, StepError> {
        let (id, now) = (EventId::new(), self.app.clock.now() - ago);
        let (provider, account) = (ProviderId::new(source), "default".into());
        let (dedupe_key, body) = (id.to_string(), body.to_string().into_bytes());
        let event = NewEvent { provider, account, kind, dedupe_key, body };
        let incoming = db::events::Incoming { id, event, traceparent: None };
        db::events::record(&self.app.db, &[incoming], now, now).await.unwrap();
        let job = given::job(&NewJob::first(id, &EventKind::NewTag));
        Mirror::new(&self.app).unwrap().run(&job).await
    }

    fn tags(&self) -> Vec<String> {
        self.tags_of(0)
    }

    fn tags_of(&self, contact: usize) -> Vec<String> {
        self.sandbox.state().cloudtalk.contacts[contact].tags.clone()
    }
}

#[tokio::test]
async fn a_contact_joins_what_its_tags_lead_to_whenever_and_wherever_they_are_set() {
    let at = Place::new("hot lead = autumn, vip=2, gone=Spring").await;
    let phone = "+393500000001";
    at.happens("gohighlevel", EventKind::NewContact, json!({"id": "C1", "phone": phone, "tags": ["cold"]})).await;
    assert!(at.tags().is_empty());
    assert!(at.sandbox.ledger().is_empty(), "what leads nowhere costs nothing");
    let tagged = json!({"type": "ContactTagUpdate", "id": "C1", "phone": phone, "tags": ["cold", "Hot Lead", "gone"]});
    for _ in 0..2 {
        at.happens("gohighlevel", EventKind::NewTag, tagged.clone()).await;
        assert_eq!(at.tags(), ["dialer-autumn"], "and a campaign that is not there keeps nobody from the others");
    }
    assert_eq!(at.sandbox.asked(Vendor::Cloudtalk, "/contacts/addTags").len(), 1, "once is enough");
    let id = at.sandbox.state().cloudtalk.contacts[0].id;
    at.happens("cloudtalk", EventKind::NewTag, json!({"contact_id": id, "tag_name": "VIP"})).await;
    assert_eq!(at.tags(), ["dialer-autumn", "dialer-winter"]);
}

#[tokio::test]
async fn a_contact_that_is_not_in_cloudtalk_yet_is_waited_for_and_one_that_never_comes_is_not() {
    let at = Place::new("vip=Winter").await;
    let bob = || json!({"contact_id": "C9", "phone": "+15550000001", "tags": "vip, x"});
    let tagged = async |ago| at.happened(ago, "gohighlevel", EventKind::NewTag, bob()).await;
    for (age, wait) in [(0, 60), (60, 120), (180, 360), (1620, 1980), (3590, 60)] {
        let early = tagged(Duration::from_secs(age)).await.unwrap_err();
        assert_eq!(early.reason, "not-in-cloudtalk");
        let Verdict::Snooze { after } = early.verdict else { panic!("{early:?}") };
        assert!(after.as_secs().abs_diff(wait) < 5, "{after:?} at {age} s");
    }
    tagged(Duration::from_secs(3700)).await.unwrap();
    assert!(at.sandbox.asked(Vendor::Cloudtalk, "/contacts/addTags").is_empty());
    at.new_contact("Bob", 15_550_000_001).await;
    tagged(Duration::from_secs(90)).await.unwrap();
    assert_eq!(at.tags_of(1), ["dialer-winter"]);
}

#[tokio::test]
async fn a_switch_that_cannot_be_understood_is_refused_before_any_change_is_carried() {
    let at = Place::with("vip=Winter", &[("DIAL_NEW_CONTACTS", "maybe")]).await;
    let refused = Mirror::new(&at.app).err().unwrap();
    assert!(refused.to_string().contains("DIAL_NEW_CONTACTS"), "{refused}");
}

#[tokio::test]
async fn a_contact_that_cannot_be_carried_joins_all_the_same() {
    let at = Place::with("vip=Winter", &[("MIRROR", "on")]).await;
    at.sandbox.fault(Fault::status(Vendor::Ghl, 403).path("/contacts"));
    at.sandbox.fault(Fault::status(Vendor::Cloudtalk, 500).path("/addTags").times(1));
    let tagged = json!({"contact_id": "C1", "phone": "+393500000001", "tags": "vip"});
    let tagged = async || at.happened(Duration::ZERO, "gohighlevel", EventKind::NewTag, tagged.clone()).await;
    let broken = tagged().await.unwrap_err();
    assert_eq!(broken.verdict, Verdict::Retry { after: None }, "what may still come right comes first");
    let refused = tagged().await.unwrap_err();
    assert_eq!((refused.verdict, refused.reason.as_ref()), (Verdict::Fail, "vendor-refuses-credentials"));
    assert_eq!(at.tags(), ["dialer-winter"]);
}

#[tokio::test]
async fn tags_are_found_where_a_webhook_has_them_and_a_new_one_that_it_does_not_name_with_the_contact() {
    let at = Place::new("vip=Winter, hot lead=Autumn").await;
    let bodies = [
        json!({"data": {"id": "C1", "phone": "+393500000001", "tags": ["VIP"]}}),
        json!({"phone": "+393500000001", "customData": {"Tag Name": "vip"}}),
    ];
    for (n, body) in bodies.into_iter().enumerate() {
        let number = 393_500_000_010 + n as u64;
        at.new_contact("Bob", number).await;
        let body = body.to_string().replace("+393500000001", &format!("+{number}"));
        at.happens("gohighlevel", EventKind::NewTag, serde_json::from_str(&body).unwrap()).await;
        assert_eq!(at.tags_of(n + 1), ["dialer-winter"], "{body}");
    }

    // As docs/mirror.md has it set up: who it is, and no more.
    let cleo = json!({"name": "Cleo", "ContactNumber": [{"public_number": 393_500_000_020_u64}], "ContactsTag": [{"name": "Hot Lead"}]});
    at.by_hand("contacts/add.json", &cleo).await;
    let (cleo, place) = (at.sandbox.state().cloudtalk.contacts[3].id, 3);
    at.happens("cloudtalk", EventKind::ContactUpdated, json!({"contact_id": cleo})).await;
    assert_eq!(at.tags_of(place), ["Hot Lead"], "an edit brings nobody back who was taken out by hand");
    at.happens("cloudtalk", EventKind::NewTag, json!({"contact_id": cleo})).await;
    assert_eq!(at.tags_of(place), ["Hot Lead", "dialer-autumn"]);

    let url = format!("{}/control/ghl/contacts/", at.sandbox.url());
    let dora = json!({"locationId": "default", "phone": "+393500000001", "tags": ["vip"]});
    let made: Value = at.app.outside.http.post(url).json(&dora).send().await.unwrap().json().await.unwrap();
    let dora = json!({"type": "ContactTagUpdate", "id": made["contact"]["id"], "phone": "+393500000001"});
    at.happens("gohighlevel", EventKind::NewTag, dora).await;
    assert_eq!(at.tags(), ["dialer-winter"]);
}
