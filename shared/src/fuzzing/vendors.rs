//! Answers of vendors' APIs, over a socket, to the clients that ask them.

use std::{
    cell::RefCell,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Router,
    body::Body,
    http::{StatusCode, header},
    response::Response,
};
use futures::TryStreamExt;
use tokio::runtime::{Builder, Runtime};

use super::{
    bodies::{outside, plausible},
    words::transcript,
};
use crate::{
    domain::{Call, CallKey, Phone, Report},
    env::Env,
    ledger::Purse,
    model::Model,
    providers::{Providers, cloudtalk},
    sinks::{Sinks, gohighlevel, sample},
};

const STATUSES: [u16; 8] = [200, 200, 201, 302, 400, 404, 429, 500];

/// Every client, and the one server that they all ask.
struct World {
    runtime: Runtime,
    answer: Arc<Mutex<(u8, Vec<u8>)>>,
    providers: Providers,
    sinks: Sinks,
    model: Model,
    cloudtalk: cloudtalk::Api,
    gohighlevel: gohighlevel::Api,
}

thread_local! {
    static WORLD: RefCell<World> = RefCell::new(World::new());
}

impl World {
    fn new() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let answer: Arc<Mutex<(u8, Vec<u8>)>> = Arc::default();
        let told = answer.clone();
        let handler = move || {
            let (kind, body) = told.lock().unwrap_or_else(PoisonError::into_inner).clone();
            async move { answered(kind, body) }
        };
        let listener = runtime.block_on(tokio::net::TcpListener::bind(("127.0.0.1", 0))).expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        runtime.spawn(async move { axum::serve(listener, Router::new().fallback(handler)).await });
        let _guard = runtime.enter();
        let (env, outside) = (settings(&base), outside());
        let providers = Providers::from_env(&env, &outside).expect("settings that can be used");
        let sinks = Sinks::from_env(&env, &outside).expect("settings that can be used");
        let model = Model::from_env(&env, &outside).expect("settings that can be used").expect("a model");
        let cloudtalk = cloudtalk::Api::from_env(&env, &outside).expect("settings that can be used").expect("a key");
        let gohighlevel =
            gohighlevel::Api::from_env(&env, &outside).expect("settings that can be used").expect("a key");
        drop(_guard);
        Self { runtime, answer, providers, sinks, model, cloudtalk, gohighlevel }
    }
}

fn settings(base: &str) -> Env {
    let bases = ["CLOUDTALK", "TWILIO", "SIGNALWIRE", "TELNYX", "ELEVENLABS", "GHL", "CALLMIND", "OPENAI"];
    let bases = bases.map(|name| (format!("{name}_BASE_URL"), base.to_owned()));
    let off = ["CLOUDTALK", "TWILIO", "SIGNALWIRE", "TELNYX", "ELEVENLABS"];
    let off = off.map(|name| (format!("{name}_WEBHOOK_VERIFY"), "off".to_owned()));
    let others = [
        ("CLOUDTALK_API_KEY", "id:secret"),
        ("TWILIO_ACCOUNT_SID", "AC1"),
        ("TWILIO_AUTH_TOKEN", "t"),
        ("SIGNALWIRE_PROJECT_ID", "p"),
        ("SIGNALWIRE_API_TOKEN", "t"),
        ("TELNYX_ACCOUNT_SID", "a"),
        ("TELNYX_API_KEY", "k"),
        ("ELEVENLABS_API_KEY", "k"),
        ("OPENAI_API_KEY", "k"),
        ("GHL_API_KEY", "k"),
        ("GHL_LOCATION_ID", "L1"),
        ("CALLMIND_TOKEN", "t"),
        ("CALLMIND_AGENT_ID", "a"),
    ];
    let polled =
        ["CLOUDTALK_POLLING", "TWILIO_RECORDING_POLLING", "SIGNALWIRE_RECORDING_POLLING", "ELEVENLABS_POLLING"];
    Env::from_pairs(others).with(bases).with(off).with(polled.map(|name| (name, "on")))
}

fn answered(kind: u8, body: Vec<u8>) -> Response {
    let status = StatusCode::from_u16(STATUSES[usize::from(kind) % STATUSES.len()]).unwrap_or_default();
    let content_type = if kind & 0x80 == 0 { "application/json" } else { "audio/wav" };
    let answer = Response::builder().status(status).header(header::CONTENT_TYPE, content_type);
    // A redirect must not lead the fuzzer out of the machine.
    let answer = answer.header(header::LOCATION, "http://169.254.169.254/").header(header::RETRY_AFTER, "7");
    answer.body(Body::from(body)).unwrap_or_default()
}

/// The first byte says whose client asks, the second how it is answered, the rest is the answer's body.
pub fn vendor(data: &[u8]) {
    let [who, kind, body @ ..] = data else { return };
    WORLD.with_borrow(|world| {
        *world.answer.lock().unwrap_or_else(PoisonError::into_inner) = (*kind, body.to_vec());
        world.runtime.block_on(ask(world, *who));
    });
}

async fn ask(world: &World, who: u8) {
    let providers: Vec<_> = world.providers.iter().collect();
    let sinks: Vec<_> = world.sinks.iter().collect();
    let (number, what) = (usize::from(who) / 4, who % 4);
    let Report { call, .. } = sample::analyzed();
    if let Some(provider) = providers.get(number) {
        let call = known(call);
        let events = match what {
            0 => provider.lookup(&call).await.unwrap_or_default(),
            1 => provider.poll(call.created_at, None).await.map(|page| page.events).unwrap_or_default(),
            2 => provider.poll(call.created_at, Some("/x?y")).await.map(|page| page.events).unwrap_or_default(),
            _ => {
                if let Ok(download) = provider.open_recording(&call).await {
                    let _ = download.stream.try_collect::<Vec<_>>().await;
                }
                Vec::new()
            }
        };
        events.into_iter().for_each(|event| plausible(&***provider, event));
    } else if let Some(sink) = sinks.get(number - providers.len()) {
        let mut report = sample::analyzed();
        report.maybe_written = what == 1;
        match what {
            2 => drop(sink.check().await),
            _ => drop(sink.deliver(&report).await),
        }
    } else {
        match number - providers.len() - sinks.len() {
            0 => cloudtalk(&world.cloudtalk, what).await,
            1 => gohighlevel(&world.gohighlevel, what).await,
            _ if what == 1 => drop(world.model.check().await),
            _ => drop(world.model.judge(&transcript("Good morning."), &Purse::unlisted(), None).await),
        }
    }
}

/// What the mirror, the dialer and campaigns ask.
async fn cloudtalk(api: &cloudtalk::Api, what: u8) {
    match what {
        0 => drop(api.contact("1450000001").await),
        1 => drop(api.notes("1450000001").await),
        2 => drop((api.agents().await, api.campaigns().await)),
        _ => {
            let phone = Phone::parse("+393501234567").expect("a number");
            drop((api.find_contact(&phone).await, api.find_contact_by_email("mario@example.test").await));
        }
    }
}

/// What the mirror asks.
async fn gohighlevel(api: &gohighlevel::Api, what: u8) {
    match what {
        0 => drop(api.contact("CONT1").await),
        1 => drop(api.notes("CONT1").await),
        2 => drop((api.opportunity("OPP1").await, api.pipelines().await)),
        _ => {
            let phone = Phone::parse("+393501234567").expect("a number");
            drop((api.find_contact(&phone).await, api.find_contact_by_email("mario@example.test").await));
        }
    }
}

/// A call that every provider knows by some id.
fn known(mut call: Call) -> Call {
    let key = |kind: &str, value: &str| CallKey { kind: kind.to_owned(), value: value.to_owned() };
    call.facts.keys = vec![key("id", "123456"), key("call_sid", "CA1"), key("recording_sid", "RE1")];
    call
}
