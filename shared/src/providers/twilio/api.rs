//! The REST API (facts: telephony §2.1), for one account.

use chrono::{DateTime, SecondsFormat, Utc};
use reqwest::{RequestBuilder, Response};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::{
    Dialect,
    dialect::{Credentials, Media},
    payload,
};
use crate::{
    env::{Env, EnvError},
    http::{ClientError, Outside, Vendor},
};

/// Of Twilio itself; other bases are test servers, or servers that speak the same.
const HOST: &str = "twilio.com";

/// Calls the API of one account. Twilio limits how many requests run at once and says 429 then, which pauses all workers.
pub(super) struct Api {
    dialect: &'static Dialect,
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
    pub(super) fn from_env(dialect: &'static Dialect, env: &Env, outside: &Outside) -> Result<Self, EnvError> {
        let settings = &dialect.settings;
        let account = env.required(settings.account)?.to_owned();
        let token = env.secret(settings.token).ok_or_else(|| EnvError::Missing(settings.token.to_owned()))?;
        let base = match dialect.base_url {
            Some(usual) => env.base_url(settings.base_url, usual)?,
            None => env.required(settings.base_url).and_then(|_| env.base_url(settings.base_url, ""))?,
        };
        let api = Self { dialect, vendor: outside.vendor(dialect.name, None), base, account, token };
        if !api.is_id("AC", &api.account) {
            let why = "not the id of an account".to_owned();
            return Err(EnvError::Invalid { name: settings.account.to_owned(), why });
        }
        Ok(api)
    }

    pub(super) fn dialect(&self) -> &'static Dialect {
        self.dialect
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
        self.read(self.get(&format!("Calls/{sid}{}", self.dialect.call_suffix))).await
    }

    /// A recording, deleted ones included: of those Twilio keeps that they were. Others ignore what they do not know.
    pub(super) async fn recording(&self, sid: &str) -> Result<Value, ClientError> {
        self.read(self.get(&format!("Recordings/{sid}.json")).query(&[("IncludeSoftDeleted", "true")])).await
    }

    /// The recordings of a call; a call has few.
    pub(super) async fn recordings_of(&self, call_sid: &str) -> Result<Vec<Value>, ClientError> {
        let request = if self.dialect.recordings_below_call {
            self.get(&format!("Calls/{call_sid}/Recordings.json"))
        } else {
            self.get("Recordings.json").query(&[("CallSid", call_sid), ("PageSize", "100")])
        };
        Ok(self.read::<Recordings>(request).await?.recordings)
    }

    /// The first page of the account's recordings since then, newest first.
    pub(super) async fn recordings_since(&self, since: DateTime<Utc>) -> Result<Recordings, ClientError> {
        let since = since.to_rfc3339_opts(SecondsFormat::Secs, true);
        self.read(self.get("Recordings.json").query(&[("DateCreated>", since.as_str()), ("PageSize", "200")])).await
    }

    /// A further page. Its address comes from an answer, so it must lie where the first one did.
    pub(super) async fn recordings_at(&self, page_uri: &str) -> Result<Recordings, ClientError> {
        // It begins at the host, as some base URLs do not.
        let below = url::Url::parse(&self.base).map(|base| base.path().trim_end_matches('/').to_owned());
        let path = page_uri.strip_prefix(below.unwrap_or_default().as_str()).unwrap_or(page_uri);
        let lists = ["Recordings.json", "Recordings"].map(|list| format!("{}?", self.path(list)));
        if !lists.iter().any(|list| path.starts_with(list)) {
            let what = "named a next page that is none of this account's recordings";
            return Err(ClientError::nonsense(self.dialect.name, what));
        }
        self.read(self.sign(self.vendor.http().get(format!("{}{path}", self.base)))).await
    }

    /// Starts to record a call that goes on.
    pub(super) async fn record(&self, call_sid: &str, form: &[(&str, &str)]) -> Result<Value, ClientError> {
        let url = format!("{}{}", self.base, self.path(&format!("Calls/{call_sid}/Recordings.json")));
        self.read(self.sign(self.vendor.http().post(url)).form(form)).await
    }

    /// The bytes of a recording; a redirect comes back as it is.
    pub(super) async fn media(&self, sid: &str) -> Result<Response, ClientError> {
        let request = || self.get(&format!("Recordings/{sid}.wav"));
        if matches!(self.dialect.media, Media::File { channels: true }) {
            match self.vendor.send(request().query(&[("RequestedChannels", "2")])).await {
                // There is only one channel (16113).
                Err(error) if error.is(400) => {}
                other => return other,
            }
        }
        self.vendor.send(request()).await
    }

    /// Reads one recording, if there is one.
    pub(super) async fn check(&self) -> Result<(), ClientError> {
        self.read::<Recordings>(self.get("Recordings.json").query(&[("PageSize", "1")])).await.map(drop)
    }

    fn path(&self, resource: &str) -> String {
        format!("{}/Accounts/{}/{resource}", self.dialect.version, self.account)
    }

    fn get(&self, resource: &str) -> RequestBuilder {
        self.sign(self.vendor.http().get(format!("{}{}", self.base, self.path(resource))))
    }

    fn sign(&self, request: RequestBuilder) -> RequestBuilder {
        match self.dialect.credentials {
            Credentials::Basic => request.basic_auth(&self.account, Some(self.token.expose_secret())),
            Credentials::Bearer => request.bearer_auth(self.token.expose_secret()),
        }
    }

    async fn read<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, ClientError> {
        let body = self.vendor.send(request).await?.text().await;
        let body = body.map_err(|error| ClientError::from_transport(self.dialect.name, &error))?;
        serde_json::from_str(&body)
            .map_err(|_| ClientError::nonsense(self.dialect.name, "answered with something else than promised"))
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
