//! What every measurement needs: a scratch installation in the shape of production, and parts of the program on it.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context;
use proof::process::{Process, beside};
use sandbox::Sandbox;
use shared::{
    env::Env,
    testing::{Scratch, Shape, eventually},
};
use tokio::net::{TcpListener, TcpStream};

use crate::load::Target;

/// The secret of webhooks.
pub const SECRET: &str = "bench-secret";

/// Settings that any part understands; vendors that are never called unless told otherwise.
pub async fn scratch() -> (Scratch, Env) {
    let scratch = Scratch::new(Shape::Production).await;
    let env = scratch.env().with([
        ("HOST", "127.0.0.1"),
        ("RUST_LOG", "error"),
        ("LOG_FORMAT", "json"),
        ("CLOUDTALK_WEBHOOK_SECRET", SECRET),
        ("CLOUDTALK_API_KEY", "id:secret"),
        ("CLOUDTALK_RATE_PER_MINUTE", "0"),
        ("GHL_RATE_PER_10S", "0"),
    ]);
    (scratch, env)
}

/// The same with the sandbox as every vendor.
pub fn vendors(env: &Env, sandbox: &Sandbox) -> Env {
    let urls = sandbox.base_urls();
    env.with([
        ("CLOUDTALK_BASE_URL", urls.cloudtalk.as_str()),
        ("OPENAI_BASE_URL", &urls.openai),
        ("OPENAI_API_KEY", "key"),
        ("GHL_BASE_URL", &urls.ghl),
        ("GHL_API_KEY", "key"),
        ("GHL_LOCATION_ID", "LOC1"),
        ("CALLMIND_BASE_URL", &urls.callmind),
        ("CALLMIND_TOKEN", "token"),
        ("CALLMIND_AGENT_ID", "agent_1"),
    ])
}

/// A process of ingest, and where it listens.
pub async fn ingest(scratch: &Scratch, env: &Env) -> anyhow::Result<(Process, SocketAddr)> {
    let address = TcpListener::bind(("127.0.0.1", 0)).await?.local_addr()?;
    let env = env.with([("PORT", address.port().to_string())]);
    let process = Process::start(&beside("tapedeck")?, &["ingest"], &env, scratch.path().join("ingest.log"))?;
    eventually("ingest listens", async || TcpStream::connect(address).await.is_ok()).await;
    Ok((process, address))
}

/// Where calls end.
pub fn call_ended(address: SocketAddr) -> Arc<Target> {
    Arc::new(Target {
        address,
        path: "/api/cloudtalk-webhooks/call-ended",
        authorization: format!("Bearer {SECRET}"),
        body: call,
    })
}

/// A webhook of the usual size, each about another call of another contact.
pub fn call(number: u64) -> String {
    format!(
        r#"{{"call_id":{},"call_uuid":"44fe0000-0000-4000-8000-{number:012}","direction":"incoming","call_status":"answered","external_number":{},"internal_number":40312000001,"contact_id":1450000001,"contact_name":"Ada Test","agent_id":490001,"agent_name":"Rob Agent","waiting_time":4,"talking_time":61,"wrapup_time":10,"recording":true,"recording_url":"https://my.cloudtalk.io/pub/r/{number}/x.wav"}}"#,
        1_000_000_000 + number,
        393_500_000_000 + number
    )
}

/// Milliseconds, for people.
pub fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// The process id of a running part.
pub fn pid(process: &Process) -> anyhow::Result<u32> {
    process.pid().context("it has ended")
}
