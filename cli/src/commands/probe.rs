//! `probe`: a health check for containers, which have no other HTTP client.

use anyhow::{Context, bail};
use clap::Args;
use shared::{budgets::Budgets, clock::Clock, env::Env, http::Outside};

/// What to ask.
#[derive(Args)]
pub struct Probe {
    /// Such as http://127.0.0.1:3000/livez
    url: String,
}

impl Probe {
    /// Succeeds on 2xx.
    pub async fn run(self, _: &Env) -> anyhow::Result<()> {
        let outside = Outside::new(Budgets::unlimited(), Clock::system())?;
        let answer = outside.http.get(&self.url).send().await.context("no answer")?;
        if !answer.status().is_success() {
            bail!("answered {}: {}", answer.status(), answer.text().await.unwrap_or_default().trim());
        }
        Ok(())
    }
}
