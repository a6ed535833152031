//! The key pair that requests are signed with.

use secrecy::{ExposeSecret, SecretString};

use super::super::{API_KEY, KEY_ID, KEY_SECRET};
use crate::env::{Env, EnvError};

#[derive(Clone)]
pub(super) struct Credentials {
    id: String,
    secret: SecretString,
}

impl Credentials {
    /// `CLOUDTALK_API_KEY_ID` with `CLOUDTALK_API_SECRET`, else `CLOUDTALK_API_KEY` as `id:secret`.
    pub(super) fn from_env(env: &Env) -> Result<Option<Self>, EnvError> {
        match (env.var(KEY_ID), env.secret(KEY_SECRET)) {
            (Some(id), Some(secret)) => return Ok(Some(Self { id: id.to_owned(), secret })),
            (Some(_), None) => return Err(EnvError::Missing(KEY_SECRET.to_owned())),
            (None, Some(_)) => return Err(EnvError::Missing(KEY_ID.to_owned())),
            (None, None) => {}
        }
        let Some(pair) = env.var(API_KEY) else { return Ok(None) };
        match pair.split_once(':').filter(|(id, secret)| !id.is_empty() && !secret.is_empty()) {
            Some((id, secret)) => Ok(Some(Self { id: id.to_owned(), secret: secret.into() })),
            None => Err(EnvError::Invalid {
                name: API_KEY.to_owned(),
                why: format!("expected id:secret; or set {KEY_ID} and {KEY_SECRET}"),
            }),
        }
    }

    pub(super) fn sign(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        request.basic_auth(&self.id, Some(self.secret.expose_secret()))
    }
}
