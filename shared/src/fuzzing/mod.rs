//! What fuzz targets call: each function takes any bytes, gives them to a parser of bytes from outside, and panics where what
//! came of it breaks a promise. Targets are in `fuzz/`, which needs a nightly compiler; this module is compiled for them alone.
//!
//! To add a target: a function here or in the file of its subject, a file in `fuzz/targets/`, its lines in `fuzz/Cargo.toml`,
//! and seeds in `fuzz/seeds/`.
#![expect(clippy::missing_panics_doc, reason = "a panic is what they are for")]

mod bodies;
mod lists;
mod settings;
mod vendors;
mod words;

use std::{io::Write, time::Duration};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use chrono::DateTime;
use tokio_util::sync::CancellationToken;

pub use bodies::{fields, lift, signature, webhook};
pub use lists::list;
pub use settings::setting;
pub use vendors::vendor;
pub use words::{name, words};

use crate::{
    audio,
    http::{guard::Allowlist, retry_after},
    model, speech, telemetry,
};

/// A file that may be audio: proven, and heard to its end where it is.
pub fn recording(data: &[u8]) {
    let mut file = tempfile::Builder::new().tempfile_in("/dev/shm").expect("room in memory");
    file.write_all(data).expect("room in memory");
    if let Ok(probe) = audio::probe(file.path()) {
        assert!(probe.duration_seconds.is_finite() && probe.duration_seconds >= 0.0, "{probe:?}");
        assert!(
            probe.duration_seconds <= audio::LONGEST_SECONDS && probe.channels > 0 && probe.sample_rate > 0,
            "{probe:?}"
        );
    }
    if let Ok(survey) = audio::survey(file.path(), &CancellationToken::new()) {
        assert!(survey.duration_seconds.is_finite() && survey.speech_seconds().is_finite(), "{survey:?}");
        let end = survey.duration_seconds + 0.001;
        for grain in [audio::Grain::Long, audio::Grain::Whole, audio::Grain::Turn] {
            let pieces = audio::cut(&survey, grain, audio::Limits { seconds: 1300.0, bytes: 24 << 20 });
            let stretches = pieces.iter().flat_map(|piece| &piece.stretches);
            for span in stretches {
                assert!(0.0 <= span.start && span.start <= span.end && span.end <= end, "{span:?} of {end}");
            }
        }
    }
}

/// What a speech server, or a model's server, answered. The model was asked about a call in which that was said, too.
pub fn reply(data: &[u8]) {
    speech::fuzz_reply(data);
    model::fuzz_reply(data, &words::transcript("Good morning, Brightline.\nMy invoice is wrong."));
    model::fuzz_reply(data, &words::transcript(&String::from_utf8_lossy(data)));
}

/// Headers from outside: trace context, when a vendor is back, links.
pub fn header(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    telemetry::trace_id(&text);
    telemetry::set_parent(&tracing::Span::none(), Some(&text));
    let Ok(value) = HeaderValue::from_bytes(data) else { return };
    for name in ["retry-after", "x-cloudtalkapi-resettime", "x-ratelimit-interval-milliseconds"] {
        let headers = HeaderMap::from_iter([(HeaderName::from_static(name), value.clone())]);
        let after = retry_after(&headers, DateTime::UNIX_EPOCH).unwrap_or_default();
        assert!(after <= Duration::from_secs(7 * 86_400), "{after:?}");
    }
}

/// A URL from a payload: it is let through only to a host on the list.
pub fn address(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let list = Allowlist::hosts(&["my.vendor.test"]).origin_of("http://127.0.0.1:4000/api");
    if let Ok(url) = url::Url::parse(&text)
        && list.judge(&url).is_some()
    {
        assert!(matches!(url.host_str(), Some("my.vendor.test" | "127.0.0.1")), "{url}");
    }
}
