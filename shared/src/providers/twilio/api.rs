//! Twilio's REST API (facts: telephony §2.1), for one account.

use chrono::{DateTime, SecondsFormat, Utc};
use reqwest::{RequestBuilder, Response};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::{ACCOUNT_SID, BASE_URL, NAME, TOKEN, payload};
use crate::{
    env::{Env, EnvError},
    http::{ClientError, Outside, Vendor},
};

/// Of Twilio itself; other bases are test servers, or servers that speak the same.
const HOST: &str = "twilio.com";

/// Calls the API of one account. Twilio limits how many requests run at once and says 429 then, which pauses all workers.
pub(super) struct Api {
    vendor: Vendor,
    base: String,
    account: String,
    token: SecretString,
}

/// Recordings, and where the next page of them is.
#[derive(Deserialize)]
pub(super) struct Recordings {
    pub(super) recordings: Vec<Value>,
    #[serde(default)]
    pub(super) next_page_uri: Option<String>,
}

/// What a refusal says in its body.
#[derive(Deserialize)]
struct Refusal {
    code: i64,
}

impl Api {
    pub(super) fn from_env(env: &Env, outside: &Outside) -> Result<Self, EnvError> {
        let account = env.required(ACCOUNT_SID)?.to_owned();
        let token = env.secret(TOKEN).ok_or_else(|| EnvError::Missing(TOKEN.to_owned()))?;
        let base = env.base_url(BASE_URL, "https://api.twilio.com")?;
        let api = Self { vendor: outside.vendor(NAME, None), base, account, token };
        if !api.is_id("AC", &api.account) {
            let why = "expected AC and 32 hex digits".to_owned();
            return Err(EnvError::Invalid { name: ACCOUNT_SID.to_owned(), why });
        }
        Ok(api)
    }

    pub(super) fn account(&self) -> &str {
        &self.account
    }

    pub(super) fn base(&self) -> &str {
        &self.base
    }

    pub(super) fn token(&self) -> &SecretString {
        &self.token
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        self.vendor.clock().now()
    }

    /// Whether an id may be asked for: of Twilio itself only its own sort, of other servers any that is safe in a path.
    pub(super) fn is_id(&self, prefix: &str, id: &str) -> bool {
        let host =
            url::Url::parse(&self.base).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
        let twilio = host.strip_suffix(HOST).is_some_and(|before| before.is_empty() || before.ends_with('.'));
        if twilio { payload::is_sid(prefix, id) } else { payload::is_id(id) }
    }

    pub(super) async fn call(&self, sid: &str) -> Result<Value, ClientError> {
        self.read(self.get(&format!("Calls/{sid}.json"))).await
    }

    /// A recording, deleted ones included: of those Twilio keeps that they were.
    pub(super) async fn recording(&self, sid: &str) -> Result<Value, ClientError> {
        self.read(self.get(&format!("Recordings/{sid}.json")).query(&[("IncludeSoftDeleted", "true")])).await
    }

    /// The recordings of a call; a call has few.
    pub(super) async fn recordings_of(&self, call_sid: &str) -> Result<Vec<Value>, ClientError> {
        let request = self.get("Recordings.json").query(&[("CallSid", call_sid), ("PageSize", "100")]);
        Ok(self.read::<Recordings>(request).await?.recordings)
    }

    /// The first page of the account's recordings since then, newest first.
    pub(super) async fn recordings_since(&self, since: DateTime<Utc>) -> Result<Recordings, ClientError> {
        let since = since.to_rfc3339_opts(SecondsFormat::Secs, true);
        self.read(self.get("Recordings.json").query(&[("DateCreated>", since.as_str()), ("PageSize", "200")])).await
    }

    /// A further page. Its address comes from an answer, so it must lie where the first one did.
    pub(super) async fn recordings_at(&self, page_uri: &str) -> Result<Recordings, ClientError> {
        if !page_uri.starts_with(&format!("{}?", self.path("Recordings.json"))) {
            return Err(ClientError::nonsense(NAME, "named a next page that is none of this account's recordings"));
        }
        self.read(self.sign(self.vendor.http().get(format!("{}{page_uri}", self.base)))).await
    }

    /// Starts to record a call that goes on.
    pub(super) async fn record(&self, call_sid: &str, form: &[(&str, &str)]) -> Result<Value, ClientError> {
        let url = format!("{}{}", self.base, self.path(&format!("Calls/{call_sid}/Recordings.json")));
        self.read(self.sign(self.vendor.http().post(url)).form(form)).await
    }

    /// The bytes of a recording; a redirect comes back as it is.
    pub(super) async fn media(&self, sid: &str, channels: Option<&str>) -> Result<Response, ClientError> {
        let request = self.get(&format!("Recordings/{sid}.wav"));
        let request = channels.into_iter().fold(request, |r, n| r.query(&[("RequestedChannels", n)]));
        self.vendor.send(request).await
    }

    /// Reads the account itself.
    pub(super) async fn check(&self) -> Result<(), ClientError> {
        let url = format!("{}/2010-04-01/Accounts/{}.json", self.base, self.account);
        self.read::<Value>(self.sign(self.vendor.http().get(url))).await.map(drop)
    }

    fn path(&self, resource: &str) -> String {
        format!("/2010-04-01/Accounts/{}/{resource}", self.account)
    }

    fn get(&self, resource: &str) -> RequestBuilder {
        self.sign(self.vendor.http().get(format!("{}{}", self.base, self.path(resource))))
    }

    fn sign(&self, request: RequestBuilder) -> RequestBuilder {
        request.basic_auth(&self.account, Some(self.token.expose_secret()))
    }

    async fn read<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, ClientError> {
        let body = self.vendor.send(request).await?.text().await;
        let body = body.map_err(|error| ClientError::from_transport(NAME, &error))?;
        serde_json::from_str(&body)
            .map_err(|_| ClientError::nonsense(NAME, "answered with something else than promised"))
    }
}

/// Twilio's own code in a refusal, as JSON or XML.
pub(super) fn code(error: &ClientError) -> Option<i64> {
    let json = || serde_json::from_str::<Refusal>(&error.body).ok().map(|refusal| refusal.code);
    let xml = || {
        let (_, rest) = error.body.split_once("<Code>")?;
        rest.split_once("</Code>")?.0.trim().parse().ok()
    };
    json().or_else(xml)
}
