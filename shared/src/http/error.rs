//! What goes wrong when a vendor is called, classified once, where status and headers are still known.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::{StatusCode, header::HeaderMap};

use crate::{
    budgets::{Wait, Why},
    domain::{StepError, Verdict},
};

/// Bodies of errors are read up to this many bytes.
const BODY_LIMIT: usize = 16 * 1024;
/// How long a vendor is left alone that answers 429 without saying for how long.
const DEFAULT_PAUSE: Duration = Duration::from_secs(10);
/// Nor is one asked again sooner that limits us and wants no wait: it would be hammered without end.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
/// No vendor is believed that asks for more than a day.
const LONGEST_PAUSE: Duration = Duration::from_secs(24 * 3600);

/// The class of a failure, which decides the verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// Not sent: our own budget, or what all workers know of the vendor, says how long not.
    HeldBack(Wait),
    /// Another of our own is at work on the same contact: not before it has ended.
    Busy {
        /// From now.
        after: Duration,
    },
    /// The vendor said: too many.
    RateLimited {
        /// From now.
        after: Duration,
    },
    /// No answer: DNS, connect, TLS, time-out, dropped connection. The request may or may not have been carried out.
    Unreachable,
    /// An answer that says the vendor is broken: 408, 5xx.
    Broken,
    /// An answer that says the request is wrong: other 4xx. Repeating it is pointless.
    Refused,
    /// Nothing to prove with who we are, for now: what hands out credentials is away or behind.
    NoCredentials,
}

/// A failed call.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{vendor} {message}")]
pub struct ClientError {
    /// Who.
    pub vendor: &'static str,
    /// The class.
    pub kind: ErrorKind,
    /// The status, where there was an answer.
    pub status: Option<u16>,
    /// For logs and people: never holds a URL, a body or anything private.
    pub message: String,
    /// The answer's body, bounded; for the caller to read codes from. Not for logs.
    pub body: String,
    /// Whether anything of the request may have reached the vendor.
    pub sent: bool,
}

impl ClientError {
    /// Reads an answer of 400 and above.
    pub async fn from_response(vendor: &'static str, response: reqwest::Response, now: DateTime<Utc>) -> Self {
        let status = response.status();
        let after = match status {
            // Each answer of GoHighLevel's names the window of its limit, also one that has nothing to do with it.
            StatusCode::SERVICE_UNAVAILABLE => told_to_wait(response.headers(), now),
            _ => retry_after(response.headers(), now),
        };
        let body = bounded_body(response).await;
        Self::from_parts(vendor, status, after, body)
    }

    /// An answer of 400 and above whose parts were read by another client.
    pub fn from_parts(vendor: &'static str, status: StatusCode, after: Option<Duration>, body: String) -> Self {
        let limited = ErrorKind::RateLimited { after: after.unwrap_or(DEFAULT_PAUSE).max(SHORTEST_PAUSE) };
        let kind = match status.as_u16() {
            429 => limited,
            503 if after.is_some() => limited,
            408 | 500..=599 => ErrorKind::Broken,
            _ => ErrorKind::Refused,
        };
        Self { vendor, kind, status: Some(status.as_u16()), message: format!("answered {status}"), body, sent: true }
    }

    /// No answer came.
    pub fn from_transport(vendor: &'static str, error: &reqwest::Error) -> Self {
        let what = if error.is_connect() {
            let cause = super::cause::of(error).map(|cause| format!(": {cause}"));
            format!("cannot be reached{}", cause.unwrap_or_default())
        } else if error.is_timeout() {
            "did not answer in time".to_owned()
        } else if error.is_decode() || error.is_body() {
            "broke off its answer".to_owned()
        } else {
            "dropped the connection".to_owned()
        };
        Self { sent: !error.is_connect() && !error.is_builder(), ..Self::unreachable(vendor, &what) }
    }

    /// No answer came, in the caller's words.
    pub fn unreachable(vendor: &'static str, what: &str) -> Self {
        Self::unanswered(vendor, ErrorKind::Unreachable, what.to_owned(), true)
    }

    /// An answer of 2xx that is not what was promised (HTML, cut off, a missing id): as good as no answer.
    pub fn nonsense(vendor: &'static str, what: &str) -> Self {
        Self::unanswered(vendor, ErrorKind::Broken, what.to_owned(), true)
    }

    /// The vendor is not to be called now.
    pub fn held_back(vendor: &'static str, wait: Wait) -> Self {
        let what = match wait.why {
            Why::Budget => "is called as often as our own limit for it allows",
            Why::Paused => "asked us to wait",
            Why::Circuit => "kept failing, its circuit is open",
        };
        let message = format!("{what}: not called for {:.1} s", wait.time.as_secs_f64());
        Self::unanswered(vendor, ErrorKind::HeldBack(wait), message, false)
    }

    /// Somebody else of ours is making the same contact.
    pub fn busy(vendor: &'static str, after: Duration) -> Self {
        let message = "has the contact made by another call's job".to_owned();
        Self::unanswered(vendor, ErrorKind::Busy { after }, message, false)
    }

    /// There are no credentials to ask the vendor with.
    pub fn no_credentials(vendor: &'static str, what: &str) -> Self {
        Self::unanswered(vendor, ErrorKind::NoCredentials, what.to_owned(), false)
    }

    fn unanswered(vendor: &'static str, kind: ErrorKind, message: String, sent: bool) -> Self {
        Self { vendor, kind, status: None, message, body: String::new(), sent }
    }

    /// Whether the answer had this status.
    pub fn is(&self, status: u16) -> bool {
        self.status == Some(status)
    }

    /// Whether a paid request that ended so was certainly not billed: it was never sent, or was answered with an error. What a
    /// gateway gave up waiting for (504, Cloudflare's 524), or whose answer broke off behind it (502, 520), may have been done
    /// all the same.
    pub fn is_unbilled(&self) -> bool {
        !self.sent || self.status.is_some_and(|status| !matches!(status, 502 | 504 | 520 | 524))
    }

    fn reason(&self) -> &'static str {
        match (self.kind, self.status) {
            (ErrorKind::HeldBack(Wait { why: Why::Budget, .. }), _) => "own-budget",
            (ErrorKind::HeldBack(Wait { why: Why::Paused, .. }), _) => "vendor-paused",
            (ErrorKind::HeldBack(Wait { why: Why::Circuit, .. }), _) => "circuit-open",
            (ErrorKind::Busy { .. }, _) => "contact-busy",
            (ErrorKind::RateLimited { .. }, _) => "rate-limited",
            (ErrorKind::Unreachable, _) => "vendor-unreachable",
            (ErrorKind::Broken, _) => "vendor-broken",
            (ErrorKind::NoCredentials, _) => "no-credentials",
            (ErrorKind::Refused, Some(401 | 403)) => "vendor-refuses-credentials",
            (ErrorKind::Refused, Some(404)) => "not-found-at-vendor",
            (ErrorKind::Refused, _) => "vendor-refuses-request",
        }
    }
}

impl From<ClientError> for StepError {
    fn from(error: ClientError) -> Self {
        let verdict = match error.kind {
            ErrorKind::HeldBack(Wait { time: after, .. })
            | ErrorKind::Busy { after }
            | ErrorKind::RateLimited { after } => Verdict::Snooze { after },
            ErrorKind::Unreachable | ErrorKind::Broken | ErrorKind::NoCredentials => Verdict::Retry { after: None },
            ErrorKind::Refused => Verdict::Fail,
        };
        Self::new(verdict, error.reason(), error)
    }
}

/// `Retry-After` in seconds or as a date, else the vendor-specific reset headers of CloudTalk and GoHighLevel
/// (facts: telephony §1.4, crm_ai §1.3).
pub fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let text = |name: &str| text(headers, name);
    let from_cloudtalk = || {
        let at = text("x-cloudtalkapi-resettime")?.parse::<i64>().ok()?;
        DateTime::from_timestamp(at, 0).map(|at| until(at, now))
    };
    let from_gohighlevel = || {
        let daily = text("x-ratelimit-daily-remaining").is_some_and(|left| left == "0");
        let burst = text("x-ratelimit-interval-milliseconds").and_then(|ms| ms.parse().ok()).map(Duration::from_millis);
        if daily { Some(Duration::from_secs(3600)) } else { burst }
    };
    told_to_wait(headers, now).or_else(from_cloudtalk).or_else(from_gohighlevel).map(|d| d.min(LONGEST_PAUSE))
}

/// `Retry-After` itself.
fn told_to_wait(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let value = text(headers, "retry-after")?;
    let wait = match value.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).ok()?,
        Err(_) => until(httpdate::parse_http_date(value).ok()?.into(), now),
    };
    Some(wait.min(LONGEST_PAUSE))
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|v| v.to_str().ok()).map(str::trim)
}

fn until(at: DateTime<Utc>, now: DateTime<Utc>) -> Duration {
    (at - now).to_std().unwrap_or_default()
}

/// How long to leave a vendor alone whose answer says that it was the last one for now.
pub(super) fn used_up(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let left = ["x-ratelimit-remaining", "x-ratelimit-daily-remaining", "x-cloudtalkapi-remaining"];
    left.iter().any(|name| headers.get(*name).is_some_and(|left| left == "0")).then(|| retry_after(headers, now))?
}

async fn bounded_body(mut response: reqwest::Response) -> String {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        body.extend_from_slice(&chunk);
        if body.len() >= BODY_LIMIT {
            body.truncate(BODY_LIMIT);
            break;
        }
    }
    String::from_utf8_lossy(&body).into_owned()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests may panic")]
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn waits_as_long_as_the_vendor_says_however_it_says_it() {
        let now = at("2026-11-20T09:00:00Z");
        let cases = [
            ("retry-after", "17", 17.0),
            ("retry-after", "Fri, 20 Nov 2026 09:01:30 GMT", 90.0),
            ("retry-after", "Fri, 20 Nov 2026 08:00:00 GMT", 0.0),
            ("retry-after", "99999999", 86400.0),
            ("x-cloudtalkapi-resettime", "1795165260", (1_795_165_260 - now.timestamp()) as f64),
            ("x-ratelimit-interval-milliseconds", "10000", 10.0),
        ];
        for (name, value, seconds) in cases {
            let headers = HeaderMap::from_iter([(name.parse().unwrap(), value.parse().unwrap())]);
            assert_eq!(retry_after(&headers, now), Some(Duration::from_secs_f64(seconds.max(0.0))), "{name}: {value}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }

    #[tokio::test]
    async fn a_vendor_that_is_down_has_failed_unless_it_says_when_it_is_back() {
        let now = at("2026-11-20T09:00:00Z");
        let answered = async |header: (&str, &str)| {
            let response = axum::http::Response::builder().status(503).header(header.0, header.1).body("").unwrap();
            ClientError::from_response("ghl", response.into(), now).await.kind
        };
        assert_eq!(answered(("x-ratelimit-interval-milliseconds", "10000")).await, ErrorKind::Broken);
        let back = ErrorKind::RateLimited { after: Duration::from_secs(17) };
        assert_eq!(answered(("retry-after", "17")).await, back);
    }

    #[test]
    fn an_answer_that_was_the_last_one_allowed_says_how_long_to_wait() {
        let now = at("2026-11-20T09:00:00Z");
        let answer = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
            used_up(&HeaderMap::from_iter(pairs), now)
        };
        let interval = ("x-ratelimit-interval-milliseconds", "10000");
        assert_eq!(answer(&[interval, ("x-ratelimit-remaining", "1")]), None);
        assert_eq!(answer(&[interval, ("x-ratelimit-remaining", "0")]), Some(Duration::from_secs(10)));
        let last_today = [interval, ("x-ratelimit-remaining", "9"), ("x-ratelimit-daily-remaining", "0")];
        assert_eq!(answer(&last_today), Some(Duration::from_secs(3600)));
        let cloudtalk = [("x-cloudtalkapi-remaining", "0"), ("x-cloudtalkapi-resettime", "1795165260")];
        assert_eq!(answer(&cloudtalk), Some(Duration::from_secs((1_795_165_260 - now.timestamp()).unsigned_abs())));
    }

    #[test]
    fn a_vendor_that_limits_us_and_wants_no_wait_is_left_alone_for_a_moment() {
        let limited =
            ClientError::from_parts("ghl", StatusCode::TOO_MANY_REQUESTS, Some(Duration::ZERO), String::new());
        assert_eq!(limited.kind, ErrorKind::RateLimited { after: Duration::from_secs(1) });
    }

    #[tokio::test]
    async fn only_what_was_sent_and_not_refused_may_be_billed() {
        let answered = |status: u16| {
            let status = StatusCode::from_u16(status).unwrap();
            ClientError::from_parts("speech", status, None, String::new())
        };
        for free in [400, 401, 408, 413, 429, 500, 503, 522].map(answered) {
            assert!(free.is_unbilled(), "{free}");
        }
        let held_back = Wait { why: Why::Budget, time: Duration::ZERO };
        assert!(ClientError::held_back("speech", held_back).is_unbilled());
        let unanswered = [ClientError::unreachable("speech", "x"), ClientError::nonsense("speech", "x")];
        for unknown in [502, 504, 520, 524].map(answered).into_iter().chain(unanswered) {
            assert!(!unknown.is_unbilled(), "{unknown}");
        }
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let http = crate::http::Outside::new(crate::budgets::Budgets::unlimited(), crate::clock::Clock::system());
        let http = http.unwrap().http;
        let (sent, dropped) = tokio::join!(http.get(&url).send(), async { drop(listener.accept().await.unwrap()) });
        drop((dropped, listener));
        assert!(!ClientError::from_transport("speech", &sent.unwrap_err()).is_unbilled(), "somebody took it");
        let unconnected = http.get(&url).send().await.unwrap_err();
        assert!(ClientError::from_transport("speech", &unconnected).is_unbilled(), "nobody was there");
    }

    #[test]
    fn whoever_is_held_back_is_told_by_whom_and_comes_back() {
        for (why, reason) in
            [(Why::Budget, "own-budget"), (Why::Paused, "vendor-paused"), (Why::Circuit, "circuit-open")]
        {
            let time = Duration::from_secs(3);
            let error = StepError::from(ClientError::held_back("ghl", Wait { why, time }));
            assert_eq!((error.verdict, &*error.reason), (Verdict::Snooze { after: time }, reason));
        }
    }

    #[test]
    fn each_status_has_its_verdict() {
        let verdict = |status: u16| {
            let status = StatusCode::from_u16(status).unwrap();
            StepError::from(ClientError::from_parts("ghl", status, Some(Duration::from_secs(3)), String::new())).verdict
        };
        assert_eq!(verdict(429), Verdict::Snooze { after: Duration::from_secs(3) });
        assert_eq!(verdict(500), Verdict::Retry { after: None });
        assert_eq!(verdict(408), Verdict::Retry { after: None });
        assert_eq!(verdict(400), Verdict::Fail);
        assert_eq!(verdict(401), Verdict::Fail);
    }
}
