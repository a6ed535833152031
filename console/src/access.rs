//! Who may ask: whoever has `API_TOKEN`. Without a token, whoever sits at this machine.

use std::{net::IpAddr, sync::Arc};

use anyhow::bail;
use axum::{
    extract::{Request, State},
    http::{HeaderValue, StatusCode, Uri, header, uri::Authority},
    middleware::Next,
    response::Response,
};
use secrecy::{ExposeSecret, SecretString};
use shared::{env::Env, service::problem::Problem};
use subtle::ConstantTimeEq;
use tower_http::cors::CorsLayer;

use crate::cors;

/// What a request has to show, and which pages may ask. Cheap to clone.
#[derive(Clone)]
pub struct Access {
    token: Option<Arc<SecretString>>,
    /// Which pages from elsewhere may ask from a browser, if any.
    pub(crate) pages: Option<CorsLayer>,
}

impl Access {
    /// `API_TOKEN`; without one only this machine may ask, with a warning.
    ///
    /// # Errors
    /// When there is no token and `HOST` or `CORS_ORIGINS` would let others in, or an origin is none.
    pub fn from_env(env: &Env) -> anyhow::Result<Self> {
        let (token, pages) = (env.secret("API_TOKEN"), cors::layer(env)?);
        if token.is_none() {
            if pages.is_some() {
                bail!(
                    "API_TOKEN is not set, and CORS_ORIGINS would let pages read all calls: set one or unset the other"
                );
            }
            let host: Option<IpAddr> = env.var("HOST").and_then(|host| host.parse().ok());
            if host.is_some_and(|host| !host.is_loopback()) {
                bail!("API_TOKEN is not set, and HOST would let everyone read all calls: set one or unset the other");
            }
            tracing::warn!("API_TOKEN is not set: the API answers EVERYONE on this machine, and nobody else");
        }
        Ok(Self { token: token.map(Arc::new), pages })
    }

    /// The settings to listen with: without a token, on loopback only.
    pub(crate) fn narrowed(&self, env: &Env) -> Env {
        match (&self.token, env.var("HOST")) {
            (None, None) => env.with([("HOST", "127.0.0.1")]),
            _ => env.clone(),
        }
    }
}

/// Refuses requests that may not ask.
pub(crate) async fn check(State(access): State<Access>, request: Request, next: Next) -> Result<Response, Problem> {
    match &access.token {
        Some(token) if !shows(&request, token) => {
            Err(Problem::unauthorized("send `Authorization: Bearer <API_TOKEN>`"))
        }
        None if !is_local(&request) => {
            // A page from elsewhere whose name was pointed at this machine.
            Err(Problem::new(StatusCode::FORBIDDEN, "without API_TOKEN only localhost is answered"))
        }
        None if is_from_elsewhere(&request) => {
            // A page from elsewhere that the browser of whoever sits here was shown.
            Err(Problem::new(StatusCode::FORBIDDEN, "without API_TOKEN no page from elsewhere is answered"))
        }
        _ => Ok(next.run(request).await),
    }
}

fn shows(request: &Request, token: &SecretString) -> bool {
    let shown = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let shown =
        shown.and_then(|value| value.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    shown.is_some_and(|(_, shown)| shown.trim().as_bytes().ct_eq(token.expose_secret().as_bytes()).into())
}

fn is_local(request: &Request) -> bool {
    let host = request.headers().get(header::HOST).and_then(|value| value.to_str().ok()?.parse::<Authority>().ok());
    host.is_some_and(|host| is_this_machine(host.host()))
}

/// What browsers say of the page that asks. An origin that is none (`null`) is elsewhere, too.
fn is_from_elsewhere(request: &Request) -> bool {
    let headers = request.headers();
    let local = |origin: &HeaderValue| {
        let origin = origin.to_str().ok().and_then(|origin| origin.parse::<Uri>().ok());
        origin.is_some_and(|origin| origin.host().is_some_and(is_this_machine))
    };
    headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site")
        || headers.get(header::ORIGIN).is_some_and(|origin| !local(origin))
}

fn is_this_machine(host: &str) -> bool {
    let name = host.trim_start_matches('[').trim_end_matches(']');
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}
