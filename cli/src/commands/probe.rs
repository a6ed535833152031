//! `probe`: a health check for containers, which have no other HTTP client.

use anyhow::{Context, bail};
use clap::Args;
use shared::{budgets::Budgets, clock::Clock, env::Env, http::Outside};

/// What to ask.
#[derive(Args)]
pub struct Probe {
    /// Such as http://127.0.0.1:9090/livez; several are asked one after the other
    #[arg(required = true, value_name = "URL")]
    urls: Vec<String>,
}

impl Probe {
    /// Succeeds when all answer 2xx.
    pub async fn run(self, _: &Env) -> anyhow::Result<()> {
        let outside = Outside::new(Budgets::unlimited(), Clock::system())?;
        for url in &self.urls {
            let answer = outside.http.get(url).send().await.with_context(|| format!("no answer from {url}"))?;
            if !answer.status().is_success() {
                bail!("{url} answered {}: {}", answer.status(), answer.text().await.unwrap_or_default().trim());
            }
        }
        Ok(())
    }
}
