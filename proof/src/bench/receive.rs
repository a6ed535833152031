//! The most memory ingest holds while eight recordings of 100 MB are posted to it at once, each inside one signed JSON body; and
//! while strangers post what costs most to read.

#![expect(clippy::print_stdout, reason = "the figures are the answer")]

use std::{
    convert::Infallible,
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use base64::prelude::{BASE64_STANDARD, Engine};
use bytes::Bytes;
use futures::{future::try_join_all, stream};
use hmac::{Hmac, KeyInit, Mac};
use proof::process::{Process, beside};
use reqwest::Client;
use sha2::Sha256;
use shared::{
    db,
    domain::ProviderId,
    service::{App, Role},
    testing::within,
};

use crate::{dialogue::record, peak, stage};

const AT_ONCE: usize = 8;
/// What a body holds once it is base64: 100 MB of it.
const AUDIO_BYTES: f64 = 75e6;
/// Bodies that nobody vouched for, each as large as one may be.
const STRANGERS: usize = 100;
/// As they come over a network.
const CHUNK: usize = 16 * 1024;

/// Prints the figures.
pub async fn run() -> anyhow::Result<()> {
    println!("{AT_ONCE} post_call_audio webhooks of 100 MB at once");
    let (scratch, env) = stage::scratch().await;
    let env = env.with([("ELEVENLABS_WEBHOOK_SECRET", stage::SECRET)]);
    let app = App::open("bench", env.clone(), Role::Beside).await?;
    let (ingest, address) = stage::ingest(&scratch, &env).await?;
    let wav = scratch.path().join("call.wav");
    record(&wav, AUDIO_BYTES / (3600.0 * 32_000.0))?;
    let size = std::fs::metadata(&wav)?.len();
    let audio = Bytes::from(BASE64_STANDARD.encode(std::fs::read(&wav)?));
    let before = peak::memory(stage::pid(&ingest)?)?;
    #[expect(clippy::disallowed_methods, reason = "the provider's, which is outside")]
    let http = Client::builder().timeout(Duration::from_secs(300)).no_proxy().build()?;
    // Signed before the clock starts: that work is the provider's.
    let bodies = (0..AT_ONCE).map(|number| Body::new(number, &audio, app.clock.now().timestamp()));
    let bodies: Vec<Body> = bodies.collect::<anyhow::Result<_>>()?;
    let started = Instant::now();
    try_join_all(bodies.iter().map(|body| body.post(&http, address))).await?;
    let seconds = started.elapsed().as_secs_f64();
    let peak = peak::memory(stage::pid(&ingest)?)?;
    let worker = &["worker", "--steps", "intake,fetch"];
    let worker = Process::start(&beside("tapedeck")?, worker, &env, scratch.path().join("worker.log"))?;
    within(Duration::from_secs(120), "all are kept whole", async || kept(&app, size).await == AT_ONCE).await;
    println!(
        "  all answered 200 in {seconds:.1} s, {:.0} MB/s; peak memory of ingest {peak:.1} MiB ({before:.1} before)\n",
        (audio.len() * AT_ONCE) as f64 / 1e6 / seconds
    );
    strangers(&http, address).await?;
    let peak = peak::memory(stage::pid(&ingest)?)?;
    println!(
        "{STRANGERS} unsigned webhooks of 1 MiB at once, all refused: peak memory of ingest {peak:.1} MiB by then\n"
    );
    for process in [worker, ingest] {
        process.terminate(Duration::from_secs(30)).await?;
    }
    app.close().await;
    drop(scratch);
    Ok(())
}

/// One webhook: the same audio for all, another conversation for each.
struct Body {
    parts: [Bytes; 3],
    signature: String,
}

impl Body {
    fn new(number: usize, audio: &Bytes, time: i64) -> anyhow::Result<Self> {
        let head = format!(
            r#"{{"type":"post_call_audio","event_timestamp":{time},"data":{{"agent_id":"agent_1","conversation_id":"{}","full_audio":""#,
            conversation(number)
        );
        let parts = [Bytes::from(head), audio.clone(), Bytes::from_static(br#""}}"#)];
        let mut mac = Hmac::<Sha256>::new_from_slice(stage::SECRET.as_bytes()).context("a key")?;
        mac.update(format!("{time}.").as_bytes());
        parts.iter().for_each(|part| mac.update(part));
        let digest: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { parts, signature: format!("t={time},v0={digest}") })
    }

    async fn post(&self, http: &Client, address: SocketAddr) -> anyhow::Result<()> {
        let chunks =
            self.parts.clone().into_iter().flat_map(|part| {
                (0..part.len()).step_by(CHUNK).map(move |at| part.slice(at..part.len().min(at + CHUNK)))
            });
        let request = http
            .post(format!("http://{address}/webhooks/elevenlabs-post-call"))
            .header("content-type", "application/json")
            .header("elevenlabs-signature", &self.signature)
            .body(reqwest::Body::wrap_stream(stream::iter(chunks.map(Ok::<_, Infallible>))));
        let answer = request.send().await?;
        ensure!(answer.status() == 200, "answered {}", answer.status());
        Ok(())
    }
}

/// Where the secret may be in the body, it is looked for there: among empty objects.
async fn strangers(http: &Client, address: SocketAddr) -> anyhow::Result<()> {
    let objects = "{},".repeat((1 << 20) / 3 - 20);
    let body = Bytes::from(format!(r#"{{"a":[{objects}{{}}]}}"#));
    try_join_all((0..STRANGERS).map(|_| async {
        let url = format!("http://{address}/api/cloudtalk-webhooks/call-ended");
        let request = http.post(url).header("content-type", "application/json").body(body.clone());
        let status = request.send().await?.status();
        ensure!(status == 401 || status == 503, "answered {status}");
        Ok(())
    }))
    .await?;
    Ok(())
}

fn conversation(number: usize) -> String {
    format!("conv_bench_{number}")
}

/// Recordings of that size that are kept.
async fn kept(app: &App, size: u64) -> usize {
    let provider = ProviderId::new("elevenlabs");
    let mut kept = 0;
    for number in 0..AT_ONCE {
        let call = db::calls::find_by_key(&app.db, &provider, &conversation(number)).await;
        let Ok(Some(call)) = call else { continue };
        let recording = db::recordings::find(&app.db, call.id).await.ok().flatten();
        kept += usize::from(recording.is_some_and(|recording| recording.size_bytes == size as i64));
    }
    kept
}
