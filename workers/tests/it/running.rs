//! Everything in one process with the vendors beside it, and what a test asks of it.

use sandbox::{CallMode, PlaceCall, PlacedCall, Sandbox};
use serde_json::{Map, Value};
use shared::{
    db::{self, console},
    domain::{Call, CallFacts, ProviderId},
    env::Env,
    service::{App, Role},
    testing::{Scratch, Shape, eventually},
};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use workers::pipeline::Pool;

pub(crate) const SECRET: &str = "a-webhook-secret";

/// Everything in one process, and the vendors beside it.
pub(crate) struct Running {
    pub(crate) sandbox: Sandbox,
    pub(crate) url: String,
    pub(crate) app: App,
    pub(crate) stop: CancellationToken,
    pub(crate) tasks: Vec<JoinHandle<()>>,
    pub(crate) scratch: Scratch,
}

impl Running {
    pub(crate) async fn start(shape: Shape, more: &[(&str, &str)]) -> Self {
        let mut at = Self::without_workers(shape, more).await;
        let working = workers::run(at.app.clone(), Pool::all(), at.stop.clone());
        at.tasks.push(tokio::spawn(async move { working.await.unwrap() }));
        at
    }

    /// Webhooks are taken, and nothing is done about them.
    pub(crate) async fn without_workers(shape: Shape, more: &[(&str, &str)]) -> Self {
        let sandbox = Sandbox::start(([127, 0, 0, 1], 0).into()).await.unwrap();
        let scratch = Scratch::new(shape).await;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let env = settings(scratch.env(), &sandbox, &url);
        let env = env.with(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let app = App::open("test", env, Role::Whole).await.unwrap();
        let stop = CancellationToken::new();
        let tasks = vec![tokio::spawn(ingest::serve(app.clone(), listener, stop.clone()))];
        Self { sandbox, url, app, stop, tasks, scratch }
    }

    /// A call that a vendor is to have had.
    pub(crate) fn order(&self, provider: &str, sample: &str, mode: CallMode) -> PlaceCall {
        PlaceCall::new(&self.url, SECRET, sample).provider(provider).mode(mode)
    }

    /// Has it had, and all its webhooks taken.
    pub(crate) async fn place(&self, order: PlaceCall) -> PlacedCall {
        let placed = self.sandbox.place_call(order).await.unwrap();
        assert!(placed.answers.iter().all(|answer| answer.status == 200), "{:?}", placed.answers);
        placed
    }

    pub(crate) async fn find(&self, provider: &ProviderId, id: &str) -> Option<Call> {
        db::calls::find_by_key(&self.app.db, provider, id).await.unwrap()
    }

    /// Waits until all our work on the call is done, and that much is known of it. A poll goes on for ever.
    pub(crate) async fn concludes(&self, provider: &ProviderId, id: &str, known: fn(&CallFacts) -> bool) -> Call {
        let mut found = None;
        eventually("the call is concluded and none of its jobs is due", async || {
            let Some(call) = self.find(provider, id).await else { return false };
            let jobs = console::jobs(&self.app.db, call.id).await.unwrap();
            let ended = jobs.iter().all(|job| matches!(job.state.as_str(), "done" | "skipped" | "dead"));
            let done = ended && call.conclusion.is_some() && known(&call.facts);
            found = Some(call);
            done
        })
        .await;
        found.unwrap()
    }

    /// The notes about a call, in the order they were written.
    pub(crate) fn notes(&self, id: &str) -> Vec<String> {
        let contacts = self.sandbox.state().ghl.contacts;
        contacts.into_iter().flat_map(|c| c.notes).map(|n| n.body).filter(|body| body.contains(id)).collect()
    }

    /// The records of a call.
    pub(crate) fn records(&self, id: &str) -> Vec<Map<String, Value>> {
        let records = self.sandbox.state().callmind.records;
        records.into_iter().map(|r| r.fields).filter(|fields| fields["callSid"] == id).collect()
    }

    /// Waits until the CRM knows all: one note on the call, one with the feedback, at most one on the recording; one record.
    pub(crate) async fn told_once(&self, name: &str, id: &str) -> Vec<String> {
        let feedback = format!("[{name} Feedback] ");
        eventually("the CRM knows it all", async || {
            !self.records(id).is_empty() && self.notes(id).iter().any(|note| note.starts_with(&feedback))
        })
        .await;
        let notes = self.notes(id);
        let of_kind = |kind: &str| notes.iter().filter(|note| note.starts_with(kind)).count();
        assert_eq!((of_kind(&format!("[{name}] ")), of_kind(&feedback)), (1, 1), "{notes:#?}");
        assert!(of_kind(&format!("[{name} Recording] ")) <= 1, "{notes:#?}");
        assert_eq!(self.records(id).len(), 1);
        notes
    }

    pub(crate) async fn stop(self) {
        self.stop.cancel();
        for task in self.tasks {
            task.await.unwrap();
        }
        self.app.close().await;
        drop(self.scratch);
    }
}

fn settings(env: &Env, sandbox: &Sandbox, url: &str) -> Env {
    let (vendors, media) = (sandbox.base_urls(), sandbox.addr().to_string());
    env.with([
        ("WEBHOOK_BASE_URL", url),
        ("CLOUDTALK_WEBHOOK_SECRET", SECRET),
        ("CLOUDTALK_API_KEY", "id:secret"),
        ("CLOUDTALK_BASE_URL", &vendors.cloudtalk),
        ("CLOUDTALK_ANALYTICS_BASE_URL", &vendors.cloudtalk_analytics),
        ("TWILIO_ACCOUNT_SID", sandbox::TWILIO_ACCOUNT),
        ("TWILIO_AUTH_TOKEN", SECRET),
        ("TWILIO_BASE_URL", &vendors.twilio),
        ("ELEVENLABS_WEBHOOK_SECRET", SECRET),
        ("ELEVENLABS_API_KEY", "key"),
        ("ELEVENLABS_BASE_URL", &vendors.elevenlabs),
        ("GENERIC_WEBHOOK_SECRET", SECRET),
        ("GENERIC_RECORDING_HOSTS", &media),
        ("OPENAI_BASE_URL", &vendors.openai),
        ("OPENAI_API_KEY", "key"),
        ("GHL_BASE_URL", &vendors.ghl),
        ("GHL_API_KEY", "pit-key"),
        ("GHL_LOCATION_ID", "LOC1"),
        ("CALLMIND_BASE_URL", &vendors.callmind),
        ("CALLMIND_TOKEN", "token"),
        ("CALLMIND_AGENT_ID", "agent_1"),
        ("RETRY_SCALE", "0.02"),
        ("LEASE_SECONDS", "5"),
    ])
}

/// Each of these tests with everything embedded and with the servers of production, with these settings.
macro_rules! in_both_shapes {
    ($($name:ident: $settings:expr),* $(,)?) => {$(
        mod $name {
            use super::*;
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn embedded() {
                super::$name(Running::start(shared::testing::Shape::Embedded, $settings).await).await;
            }
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn production() {
                super::$name(Running::start(shared::testing::Shape::Production, $settings).await).await;
            }
        }
    )*};
}
pub(crate) use in_both_shapes;
