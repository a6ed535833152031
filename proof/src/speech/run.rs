//! Sends every call four ways, each way to the same server.

use std::path::Path;

use anyhow::{Context, bail};
use reqwest::multipart::{Form, Part};
use secrecy::ExposeSecret;
use serde_json::Value;
use shared::{
    budgets::Budgets,
    clock::Clock,
    domain::{Convention, Speaker, Transcript},
    env::Env,
    http::Outside,
    ledger::Purse,
    speech::{self, Heard, Speech},
};

use crate::{
    errors::Errors,
    offsets::Offsets,
    report,
    scene::{Said, Scene},
    script::{self, CALLER},
    speakers,
    words::{Word, words},
};

const HOW_TO_START_ONE: &str = "TRANSCRIBE_BASE_URL is not set. This needs a speech server with OpenAI's API, for example\n\
    \n    whisper-server -m ggml-base.en.bin --port 8080 --inference-path /v1/audio/transcriptions\n\
    \nof whisper.cpp, and then TRANSCRIBE_BASE_URL=http://127.0.0.1:8080/v1 make speech";

/// What came of a call, or of all.
#[derive(Default)]
pub(crate) struct Figures {
    pub(crate) seconds: f64,
    /// Per channel, cut into pieces: what a worker does.
    pub(crate) cut: Errors,
    /// Per channel, each channel in one request.
    pub(crate) whole: Errors,
    /// Both sides in one channel, cut into pieces.
    pub(crate) mixed_cut: Errors,
    /// Both sides in one channel, in one request.
    pub(crate) mixed_whole: Errors,
    /// Words at the wrong side, of the first way.
    pub(crate) strangers: usize,
    pub(crate) offsets: Offsets,
}

/// Speaks, sends and compares; prints as it goes.
pub(crate) async fn run(env: &Env, only: &[String], turns: bool, keep: Option<&Path>) -> anyhow::Result<()> {
    let Some(base_url) = env.var("TRANSCRIBE_BASE_URL") else { bail!(HOW_TO_START_ONE) };
    let outside = Outside::new(Budgets::unlimited(), Clock::system())?;
    let speech = Speech::from_env(env, &outside)?.context("TRANSCRIBE_BASE_URL is set")?;
    let server = Server { outside: &outside, env, base_url: base_url.trim_end_matches('/') };
    let dir = tempfile::tempdir()?;
    let dir = keep.unwrap_or(dir.path());
    let mut all = Figures::default();
    report::head(&speech.name());
    for script in script::calls(only)? {
        let scene = Scene::record(&script, dir)?;
        let transcript = transcribe(&speech, &scene.separate).await?;
        if turns {
            report::turns(&transcript);
        }
        let mut figures = Figures { seconds: scene.seconds, ..Figures::default() };
        compare(&mut figures, &scene, &transcript);
        compare(&mut all, &scene, &transcript);
        let mut others = Figures::default();
        for side in 0..2 {
            let heard = words(&server.hears(&scene.sides[side]).await?, side, 0.0, scene.seconds);
            others.whole += Errors::between(&of_side(&said(&scene.said), side), &heard);
        }
        let mixed = transcribe(&speech, &scene.mixed).await?;
        others.mixed_cut = Errors::between(&said(&scene.said), &heard(&mixed));
        let mixed = words(&server.hears(&scene.mixed).await?, CALLER, 0.0, scene.seconds);
        others.mixed_whole = Errors::between(&said(&scene.said), &mixed);
        for sum in [&mut figures, &mut all] {
            sum.whole += others.whole;
            sum.mixed_cut += others.mixed_cut;
            sum.mixed_whole += others.mixed_whole;
        }
        all.seconds += scene.seconds;
        report::row(scene.name, &figures);
    }
    report::foot(&all);
    Ok(())
}

fn compare(figures: &mut Figures, scene: &Scene, transcript: &Transcript) {
    let (said, heard) = (said(&scene.said), heard(transcript));
    let [caller, agent] = [0, 1].map(|side| (of_side(&said, side), of_side(&heard, side)));
    figures.cut += Errors::between(&caller.0, &caller.1);
    figures.cut += Errors::between(&agent.0, &agent.1);
    figures.strangers += speakers::wrong([&caller.0, &agent.0], [&caller.1, &agent.1]);
    figures.offsets.add(&scene.said, &transcript.turns);
}

fn said(lines: &[Said]) -> Vec<Word> {
    lines.iter().flat_map(|line| words(&line.text, line.side, line.start, line.end)).collect()
}

fn heard(transcript: &Transcript) -> Vec<Word> {
    let side = |speaker| if speaker == Speaker::Agent { 1 - CALLER } else { CALLER };
    transcript.turns.iter().flat_map(|turn| words(&turn.text, side(turn.speaker), turn.start, turn.end)).collect()
}

fn of_side(words: &[Word], side: usize) -> Vec<Word> {
    words.iter().filter(|word| word.side == side).cloned().collect()
}

async fn transcribe(asked: &Speech, file: &Path) -> anyhow::Result<Transcript> {
    let survey = speech::survey(file).await?;
    let channels = survey.named(Convention::configured([Speaker::Caller, Speaker::Agent]), None);
    match asked.transcribe(file, &std::env::temp_dir(), &survey, channels, &Purse::unlisted(), None).await? {
        Heard::Words(transcript) => Ok(transcript),
        nothing => bail!("{}: {nothing:?}", file.display()),
    }
}

/// The same server, asked without any of our work.
struct Server<'a> {
    outside: &'a Outside,
    env: &'a Env,
    base_url: &'a str,
}

impl Server<'_> {
    async fn hears(&self, file: &Path) -> anyhow::Result<String> {
        let file = Part::bytes(tokio::fs::read(file).await?).file_name("call.wav");
        let model = self.env.var("TRANSCRIBE_MODEL").unwrap_or("whisper-1").to_owned();
        let form = Form::new().part("file", file).text("model", model).text("response_format", "json");
        let path = self.env.var("TRANSCRIBE_PATH").unwrap_or("/audio/transcriptions");
        let url = format!("{}/{}", self.base_url, path.trim_start_matches('/'));
        let mut request = self.outside.patient.post(url).multipart(form);
        if let Some(key) = self.env.secret("TRANSCRIBE_API_KEY").or_else(|| self.env.secret("OPENAI_API_KEY")) {
            request = request.bearer_auth(key.expose_secret());
        }
        let answer: Value = request.send().await?.error_for_status()?.json().await?;
        Ok(answer["text"].as_str().context("the server answers without text")?.to_owned())
    }
}
