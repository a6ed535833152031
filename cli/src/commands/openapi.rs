//! `openapi`: what `GET /openapi.json` answers, without a server.

#![expect(clippy::print_stdout, reason = "the answer of a command goes to standard output")]

use anyhow::Context;
use shared::{budgets::Budgets, clock::Clock, env::Env, http::Outside, providers::Providers, sources::Sources};

/// Prints it.
pub fn run(env: &Env) -> anyhow::Result<()> {
    let outside = Outside::new(Budgets::unlimited(), Clock::system())?;
    let sources = Sources::from_env(env, &Providers::from_env(env, &outside)?)?;
    let document = ::console::openapi::document(env, &sources);
    println!("{}", document.to_pretty_json().context("cannot be written as JSON")?);
    Ok(())
}
