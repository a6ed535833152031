//! Contacts join campaigns by the rules of their tags.

use sandbox::{Sandbox, Vendor};
use serde_json::{Value, json};
use shared::{
    db,
    domain::{EventId, EventKind, NewEvent, NewJob, ProviderId},
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
        let sandbox = Sandbox::start(([127, 0, 0, 1], 0).into()).await.unwrap();
        let scratch = Scratch::new(Shape::Embedded).await;
        let env = scratch.env().with([
            ("CLOUDTALK_WEBHOOK_SECRET", "s"),
            ("CLOUDTALK_API_KEY", "id:secret"),
            ("CLOUDTALK_BASE_URL", &sandbox.base_urls().cloudtalk),
            ("CAMPAIGN_RULES", rules),
        ]);
        let app = App::open("test", env, Role::Whole).await.unwrap();
        let place = Self { sandbox, app, _scratch: scratch };
        for (name, tag) in [("Autumn", "dialer-autumn"), ("Winter", "dialer-winter")] {
            place.by_hand("campaigns/add.json", &json!({"name": name, "ContactsTag": [{"name": tag}]})).await;
        }
        let ada = json!({"name": "Ada", "ContactNumber": [{"public_number": 393_500_000_001_u64}]});
        place.by_hand("contacts/add.json", &ada).await;
        place
    }

    async fn by_hand(&self, path: &str, body: &Value) {
        let url = format!("{}/control/cloudtalk/{path}", self.sandbox.url());
        assert_eq!(self.app.outside.http.put(url).json(body).send().await.unwrap().status(), 201);
    }

    async fn happens(&self, source: &'static str, kind: EventKind, body: Value) {
        let (id, now) = (EventId::new(), self.app.clock.now());
        let (provider, account) = (ProviderId::new(source), "default".into());
        let (dedupe_key, body) = (id.to_string(), body.to_string().into_bytes());
        let event = NewEvent { provider, account, kind, dedupe_key, body };
        let incoming = db::events::Incoming { id, event, traceparent: None };
        db::events::record(&self.app.db, &[incoming], now, now).await.unwrap();
        let job = given::job(&NewJob::first(id, &EventKind::NewTag));
        Mirror::new(&self.app).unwrap().run(&job).await.unwrap();
    }

    fn tags(&self) -> Vec<String> {
        self.sandbox.state().cloudtalk.contacts[0].tags.clone()
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
    at.happens(
        "gohighlevel",
        EventKind::NewTag,
        json!({"contact_id": "C9", "phone": "+15550000001", "tags": "vip, x"}),
    )
    .await;
    assert_eq!(at.sandbox.asked(Vendor::Cloudtalk, "/contacts/addTags").len(), 2, "who is not there does not join");
}
