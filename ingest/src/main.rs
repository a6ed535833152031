//! `ingest`: takes webhooks on `PORT`. The same as `tapedeck ingest`.

use std::process::ExitCode;

use shared::{env::Env, service};

fn main() -> ExitCode {
    service::run("ingest", Env::from_process(), ingest::process)
}
