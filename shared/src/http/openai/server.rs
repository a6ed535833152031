//! Which server it is, and what it says of its models.

use anyhow::Context;
use async_openai::{Client, config::OpenAIConfig};
use chrono::NaiveDate;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::client;
use crate::{
    env::{Env, EnvError},
    http::Vendor,
};

/// OpenAI's own.
const OPENAI: &str = "https://api.openai.com/v1";
const SHARED_URL: &str = "OPENAI_BASE_URL";
const SHARED_KEY: &str = "OPENAI_API_KEY";

/// A server that speaks OpenAI's API.
pub struct Server {
    /// With `/v1`, without a trailing slash.
    pub base_url: String,
    /// Servers of one's own may want none.
    pub api_key: Option<SecretString>,
}

impl Server {
    /// Reads `<prefix>_BASE_URL` and `<prefix>_API_KEY`, and `OPENAI_…` in place of one that is not set. `None` when neither a
    /// key nor another server than OpenAI's is configured.
    ///
    /// # Errors
    /// When the URL cannot be used.
    pub fn from_env(env: &Env, prefix: &str) -> Result<Option<Self>, EnvError> {
        let own = format!("{prefix}_BASE_URL");
        let base_url = env.base_url(env.var(&own).map_or(SHARED_URL, |_| &own), OPENAI)?;
        let api_key = env.secret(&format!("{prefix}_API_KEY")).or_else(|| env.secret(SHARED_KEY));
        Ok((api_key.is_some() || base_url != OPENAI).then_some(Self { base_url, api_key }))
    }

    /// Whether it is OpenAI's own, where what is known of OpenAI's plans holds.
    pub fn is_openais(&self) -> bool {
        self.base_url == OPENAI
    }

    /// A client for it; see [`client`].
    pub fn client(&self, vendor: Vendor) -> Client<OpenAIConfig> {
        client(vendor, &self.base_url, self.api_key.as_ref())
    }

    /// Asks for its list of models, which costs nothing. `None` where it has none: whisper.cpp's server serves the one model
    /// that it was started with.
    ///
    /// # Errors
    /// What is wrong, for a person.
    pub async fn models(&self, vendor: &Vendor) -> anyhow::Result<Option<Models>> {
        let mut request = vendor.http().get(format!("{}/models", self.base_url));
        if let Some(key) = &self.api_key {
            request = request.bearer_auth(key.expose_secret());
        }
        let answer = match vendor.send(request).await {
            Err(error) if error.is(404) => return Ok(None),
            answer => answer?,
        };
        let mut answer: Value = answer.json().await.context("the list of models is not JSON")?;
        match answer["data"].take() {
            Value::Array(models) => Ok(Some(Models(models))),
            _ => anyhow::bail!("the server lists no models"),
        }
    }
}

/// What a server lists.
pub struct Models(Vec<Value>);

impl Models {
    /// That the model is there, and its last day, in words. The list counts more than what we know of that day.
    ///
    /// # Errors
    /// When it is not there.
    pub fn tell_of(&self, name: &str, last_day: Option<NaiveDate>, today: NaiveDate) -> anyhow::Result<String> {
        let model = self.0.iter().find(|model| model["id"].as_str() == Some(name));
        let model = model.with_context(|| format!("the server has no model {name}"))?;
        let listed = model["shutdown_date"].as_str().and_then(|day| day.parse().ok());
        let notice = listed.or(last_day).map(|day| format!(", {}", notice(day, today)));
        Ok(format!("{name} is there{}", notice.unwrap_or_default()))
    }
}

/// What a person should know who uses a model with this last day.
pub fn notice(last_day: NaiveDate, today: NaiveDate) -> String {
    match (last_day - today).num_days() {
        left if left >= 0 => format!("switched off on {last_day}, in {left} days"),
        _ => format!("switched off since {last_day}"),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests may panic")]
    use super::*;

    fn server(pairs: &[(&str, &str)]) -> Option<Server> {
        Server::from_env(&Env::from_pairs(pairs.iter().copied()), "FEEDBACK").unwrap()
    }

    #[test]
    fn without_key_and_server_there_is_none() {
        assert!(server(&[]).is_none());
        assert!(server(&[("OPENAI_BASE_URL", "https://api.openai.com/v1/")]).is_none());
        assert!(server(&[("FEEDBACK_BASE_URL", "http://localhost:11434/v1")]).is_some_and(|s| s.api_key.is_none()));
        assert!(server(&[("OPENAI_API_KEY", "key")]).is_some_and(|s| s.base_url == OPENAI));
    }

    #[test]
    fn its_own_settings_win_over_those_shared_with_others() {
        let shared = [("OPENAI_API_KEY", "shared"), ("OPENAI_BASE_URL", "http://both/v1/")];
        assert_eq!(server(&shared).unwrap().base_url, "http://both/v1");
        let own = [("FEEDBACK_API_KEY", "own"), ("FEEDBACK_BASE_URL", "http://own/v1")];
        let own = server(&[shared.as_slice(), &own].concat()).unwrap();
        assert_eq!((own.base_url.as_str(), own.api_key.unwrap().expose_secret()), ("http://own/v1", "own"));
    }

    #[test]
    fn the_last_day_of_a_model_is_told_of() {
        let day = |day| NaiveDate::from_ymd_opt(2027, 2, day).unwrap();
        assert_eq!(notice(day(26), day(16)), "switched off on 2027-02-26, in 10 days");
        assert_eq!(notice(day(26), day(28)), "switched off since 2027-02-26");
        let models = Models(vec![serde_json::json!({"id": "own", "shutdown_date": "2020-01-31"})]);
        assert_eq!(models.tell_of("own", None, day(1)).unwrap(), "own is there, switched off since 2020-01-31");
        assert!(models.tell_of("gone", None, day(1)).is_err());
    }
}
