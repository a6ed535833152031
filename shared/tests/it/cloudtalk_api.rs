//! CloudTalk's API beyond recordings, against the sandbox.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

use sandbox::{CallMode, CloudtalkAgent, Fault, FaultKind, PlaceCall, Sandbox, Vendor};
use serde_json::json;
use shared::{
    domain::{Phone, StepError, Verdict},
    env::Env,
    providers::{
        Provider,
        cloudtalk::{Api, Availability, CloudTalk, Contact, ContactFields, Dialled},
    },
};

use crate::outside;

struct World {
    sandbox: Sandbox,
    api: Api,
}

async fn world() -> World {
    let sandbox = Sandbox::start(outside::anywhere()).await.unwrap();
    let api = Api::from_env(&settings(&sandbox), &outside::impatient()).unwrap().unwrap();
    World { sandbox, api }
}

fn settings(sandbox: &Sandbox) -> Env {
    let base = sandbox.base_urls().cloudtalk;
    Env::from_pairs([("CLOUDTALK_API_KEY", "key:secret"), ("CLOUDTALK_BASE_URL", base.as_str())])
}

fn phone(text: &str) -> Phone {
    Phone::parse(text).unwrap()
}

fn ada() -> ContactFields {
    ContactFields {
        name: Some("Ada Test".to_owned()),
        company: Some("Acme".to_owned()),
        phones: vec![phone("+393500000001"), phone("+393500000002")],
        emails: vec!["ada@example.test".to_owned(), "office@example.test".to_owned()],
        tags: vec!["VIP".to_owned()],
        links: vec![("CRM".to_owned(), "https://crm.example.test/c/1".to_owned())],
        ..ContactFields::default()
    }
}

fn fault(kind: FaultKind, path: &str) -> Fault {
    Fault { times: Some(1), ..Fault::new(Vendor::Cloudtalk, kind).path(path) }
}

#[tokio::test]
async fn a_contact_that_was_created_is_found_by_any_number_and_address_and_by_id() {
    let World { sandbox, api } = world().await;
    let id = api.create_contact(&ada()).await.unwrap();
    let whole = api.contact(&id).await.unwrap().unwrap();
    let Contact { name, company, phones, emails, tags, .. } = whole.clone();
    assert_eq!((name.as_deref(), company.as_deref()), (Some("Ada Test"), Some("Acme")));
    assert_eq!((phones.len(), emails.len(), tags), (2, 2, Some(vec!["VIP".to_owned()])));
    for number in ["+393500000001", "+393500000002"] {
        assert_eq!(api.find_contact(&phone(number)).await.unwrap().unwrap().id, id, "{number}");
    }
    for address in ["ada@example.test", "OFFICE@example.test"] {
        assert_eq!(api.find_contact_by_email(address).await.unwrap().unwrap().id, id, "{address}");
    }
    // A part of a number is a hit of the search, and not the contact.
    assert_eq!(api.find_contact(&phone("+39350000000")).await.unwrap(), None);
    assert_eq!(api.contact("7").await.unwrap(), None);
    assert_eq!(api.contact("../agents/index").await.unwrap(), None);
    assert_eq!(sandbox.state().cloudtalk.contacts[0].links[0].0, "CRM");
}

#[tokio::test]
async fn an_update_leaves_alone_what_it_does_not_hold_and_tags_are_added_and_taken_away_singly() {
    let World { sandbox, api } = world().await;
    let id = api.create_contact(&ada()).await.unwrap();
    api.update_contact(&id, &ContactFields { name: Some("Ada T.".to_owned()), ..ContactFields::default() })
        .await
        .unwrap();
    let held = sandbox.state().cloudtalk.contacts[0].clone();
    assert_eq!((held.name.as_str(), held.phones.len(), held.tags.len()), ("Ada T.", 2, 1));
    api.add_tags(&id, &["sales", "vip"]).await.unwrap();
    let contact = api.contact(&id).await.unwrap().unwrap();
    assert_eq!(contact.tags.as_deref().unwrap(), ["VIP", "sales"]);
    assert_eq!(contact.lacks(&["Sales", "cold"]), ["cold"]);
    api.remove_tags(&id, &["VIP"]).await.unwrap();
    assert_eq!(sandbox.state().cloudtalk.contacts[0].tags, ["sales"]);
    let gone = api.add_tags("99", &["x"]).await.unwrap_err();
    assert!(gone.is(404));
}

#[tokio::test]
async fn notes_are_written_written_anew_and_read() {
    let World { sandbox: _sandbox, api } = world().await;
    let id = api.create_contact(&ada()).await.unwrap();
    let note = api.add_note(&id, "Wants a call back").await.unwrap();
    api.add_note(&id, "Second").await.unwrap();
    api.edit_note(&id, &note, "Was called back").await.unwrap();
    let notes = api.notes(&id).await.unwrap();
    assert_eq!(notes.iter().map(|note| note.text.as_str()).collect::<Vec<_>>(), ["Was called back", "Second"]);
    assert!(api.add_note("99", "x").await.unwrap_err().is(404));
}

#[tokio::test]
async fn an_agent_who_is_free_is_rung_once_and_others_are_not() {
    let World { sandbox, api } = world().await;
    for (id, availability) in [(1, "online"), (2, "offline"), (3, "paused"), (4, "calling")] {
        let agent = CloudtalkAgent { id, name: "Rob Agent".into(), availability: availability.into(), outbound: true };
        sandbox.set_agent(agent);
    }
    let agents = api.agents().await.unwrap();
    let seen: Vec<_> = agents.iter().map(|agent| agent.availability).collect();
    assert_eq!(seen, [Availability::Online, Availability::Offline, Availability::Paused, Availability::Calling]);
    assert_eq!(agents.iter().map(|agent| agent.is_free()).collect::<Vec<_>>(), [true, false, false, false]);
    let callee = phone("+393500000001");
    assert_eq!(api.dial("1", &callee).await.unwrap(), Dialled::Rings);
    assert_eq!(api.dial("1", &callee).await.unwrap(), Dialled::Busy);
    assert_eq!(api.dial("2", &callee).await.unwrap(), Dialled::NotOnline);
    assert_eq!(sandbox.state().cloudtalk.dialled.len(), 1);
}

#[tokio::test]
async fn campaigns_are_known_with_their_tags() {
    let World { sandbox, api } = world().await;
    let url = format!("{}/control/cloudtalk/campaigns/add.json", sandbox.url());
    let campaign = json!({"name": "Autumn", "status": "active", "ContactsTag": [{"name": "dialer"}]});
    let http = outside::impatient().http;
    http.put(url).json(&campaign).send().await.unwrap();
    let campaigns = api.campaigns().await.unwrap();
    assert_eq!((campaigns[0].name.as_str(), &campaigns[0].tags[..]), ("Autumn", &["dialer".to_owned()][..]));
}

#[tokio::test]
async fn what_goes_wrong_has_its_verdict_and_names_no_person() {
    let World { sandbox, api } = world().await;
    let mut fields = ada();
    fields.emails = vec!["nonsense".to_owned()];
    let refused = api.create_contact(&fields).await.unwrap_err();
    assert_eq!(refused.to_string(), "cloudtalk answered 406 Not Acceptable: Invalid input data. (email)");
    assert_eq!(StepError::from(refused).verdict, Verdict::Fail);
    let inside = json!({"responseData": {"status": 404, "message": "No 393500000001 here."}});
    sandbox.fault(fault(FaultKind::Status { status: 200, retry_after: None, body: Some(inside) }, "/contacts"));
    let hidden = api.add_tags("1", &["x"]).await.unwrap_err();
    assert!(hidden.is(404));
    assert!(hidden.to_string().ends_with("No … here."), "{hidden}");
    for kind in [FaultKind::Html200, FaultKind::Empty200, FaultKind::Refuse] {
        sandbox.fault(fault(kind.clone(), "/contacts"));
        let error = api.find_contact(&phone("+393500000001")).await.unwrap_err();
        assert_eq!(StepError::from(error).verdict, Verdict::Retry { after: None }, "{kind:?}");
    }
    sandbox.fault(fault(FaultKind::Status { status: 429, retry_after: None, body: None }, "/agents"));
    let limited = StepError::from(api.agents().await.unwrap_err());
    assert!(matches!(limited.verdict, Verdict::Snooze { after } if after.as_secs() >= 1), "{limited:?}");
}

#[tokio::test]
async fn the_list_tells_of_a_call_once_however_often_it_is_read_and_only_when_its_webhooks_had_their_time() {
    let World { sandbox, .. } = world().await;
    let polled = |minutes: &'static str| {
        let on = [("CLOUDTALK_WEBHOOK_VERIFY", "off"), ("CLOUDTALK_POLLING", "on")];
        let env = settings(&sandbox).with(on).with([("CLOUDTALK_POLL_INTERVAL_MINUTES", minutes)]);
        CloudTalk::from_env(&env, &outside::impatient()).unwrap().unwrap()
    };
    for mode in [CallMode::ApiFallback, CallMode::Missed] {
        sandbox.place_call(PlaceCall::new("", "", "sales").mode(mode)).await.unwrap();
    }
    let since = chrono::DateTime::UNIX_EPOCH;
    assert!(polled("60").poll(since, None).await.unwrap().events.is_empty(), "they have just ended");
    let cloudtalk = polled("0.002");
    let (mut first, mut second) = (Vec::new(), Vec::new());
    shared::testing::eventually("both calls ended a while ago", async || {
        first = cloudtalk.poll(since, None).await.unwrap().events;
        first.len() == 2
    })
    .await;
    second.extend(cloudtalk.poll(since, None).await.unwrap().events);
    let keys = |events: &[shared::domain::NewEvent]| events.iter().map(|e| e.dedupe_key.clone()).collect::<Vec<_>>();
    assert_eq!(keys(&first), keys(&second));
    let later = chrono::DateTime::from_timestamp(4_000_000_000, 0).unwrap();
    assert!(cloudtalk.poll(later, None).await.unwrap().events.is_empty());
}
