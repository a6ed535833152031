//! Which calls: the options that every command about many of them has.

use anyhow::Context;
use chrono::{DateTime, Utc};
use clap::Args;
use shared::{
    db::console::CallFilter,
    domain::{Conclusion, Phone, ProviderId},
};

/// Narrow the choice; all of them hold.
#[derive(Args)]
pub(super) struct Filters {
    /// Only of this provider
    #[arg(long)]
    provider: Option<String>,
    /// Only with this number on the other side
    #[arg(long)]
    phone: Option<String>,
    /// Only from this time on, such as 2026-11-20T00:00:00Z
    #[arg(long)]
    from: Option<DateTime<Utc>>,
    /// Only before this time
    #[arg(long)]
    to: Option<DateTime<Utc>>,
    /// Only those our work on which ended so: analyzed, not-analyzed, too-short…
    #[arg(long, value_parser = conclusion)]
    conclusion: Option<Conclusion>,
}

fn conclusion(text: &str) -> Result<Conclusion, String> {
    serde_json::from_value(text.into()).map_err(|_| "there is no such conclusion".to_owned())
}

impl Filters {
    /// Whether any of them is given.
    pub(super) fn narrow(&self) -> bool {
        let Self { provider, phone, from, to, conclusion } = self;
        provider.is_some() || phone.is_some() || from.is_some() || to.is_some() || conclusion.is_some()
    }

    /// As the database is asked, for so many at a time.
    ///
    /// # Errors
    /// When the phone number is none.
    pub(super) fn filter(self, limit: i64) -> anyhow::Result<CallFilter> {
        let phone = self.phone.map(|text| Phone::parse(&text).context("--phone is no phone number")).transpose()?;
        Ok(CallFilter {
            provider: self.provider.map(ProviderId::from),
            phone,
            from: self.from,
            to: self.to,
            conclusion: self.conclusion,
            limit,
            ..CallFilter::default()
        })
    }
}
