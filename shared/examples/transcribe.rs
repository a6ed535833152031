//! Transcribes one file with the server that the environment names, and prints the turns:
//! `TRANSCRIBE_BASE_URL=http://localhost:9009/v1 cargo run -p shared --example transcribe -- call.wav`
#![expect(clippy::print_stdout, reason = "printing is what it is for")]

use std::path::PathBuf;

use anyhow::{Context, bail};
use shared::{
    budgets::Budgets,
    clock::Clock,
    domain::{Convention, Speaker},
    env::Env,
    http::Outside,
    ledger::Purse,
    speech::{self, Heard, Speech},
};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let file: PathBuf = std::env::args_os().nth(1).context("usage: transcribe FILE")?.into();
    let outside = Outside::new(Budgets::unlimited(), Clock::system())?;
    let server = Speech::from_env(&Env::from_process()?, &outside)?;
    let server = server.context("set OPENAI_API_KEY or TRANSCRIBE_BASE_URL")?;
    let survey = speech::survey(&file).await?;
    let channels = survey.named(Convention::configured([Speaker::Caller, Speaker::Agent]), None);
    let transcript =
        match server.transcribe(&file, &std::env::temp_dir(), &survey, channels, &Purse::unlisted(), None).await? {
            Heard::Words(transcript) => transcript,
            nothing => bail!("{nothing:?}"),
        };
    for turn in &transcript.turns {
        println!("{:8.2} {:8.2}  {:8} {}", turn.start, turn.end, turn.speaker.label(), turn.text);
    }
    println!(
        "language {:?}, timed {}, {:.0} s sent, US$ {:?}",
        transcript.language, transcript.timed, transcript.billed_seconds, transcript.cost
    );
    Ok(())
}
