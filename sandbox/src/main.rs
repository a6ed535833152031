//! `sandbox`: the simulated outside world as a process of its own.

mod command_line;

use std::io::IsTerminal;

use clap::Parser;
use command_line::{Arguments, stopped};
use sandbox::Sandbox;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let terminal = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(terminal).init();
    let sandbox = Sandbox::start_as(arguments.listen, arguments.public_url, arguments.first_id).await?;
    let urls = sandbox.base_urls();
    tracing::warn!(
        listen = %sandbox.addr(),
        cloudtalk = urls.cloudtalk,
        twilio = urls.twilio,
        elevenlabs = urls.elevenlabs,
        openai = urls.openai,
        ghl = urls.ghl,
        callmind = urls.callmind,
        "SIMULATED SERVICES: nothing here is real; transcripts and feedback are made up from sample calls"
    );
    stopped().await
}
