//! Who is let in, and who is not.
#![expect(clippy::missing_panics_doc, reason = "tests may panic")]

use axum::http::{HeaderMap, HeaderValue};
use proptest::prop_assert;

use super::{Example, PUBLIC, examples, now, open, runner, verify};
use crate::sources::{Source, WebhookRequest};

/// What a source is checked with is never guessed, and never left out in silence.
pub fn without_its_secret_it_refuses_to_start() {
    for example in examples() {
        for secret in example.secrets {
            let error = without(&example, secret).err();
            let error = error.unwrap_or_else(|| panic!("{} starts without {secret}", example.name())).to_string();
            assert!(error.contains(secret), "{}: {error}", example.name());
        }
    }
}

/// Where a source can show who it is in several ways, one that nothing was set for lets nobody in.
pub fn without_its_key_nothing_passes() {
    for example in examples() {
        for key in example.keys {
            let source = without(&example, key).unwrap_or_else(|error| panic!("{}: {error:#}", example.name()));
            let sent = Sent::of(&example);
            assert!(!sent.passes(&*source, &sent.headers, sent.body), "{} is let in without {key}", example.name());
        }
    }
}

/// The source, as it starts without a setting.
fn without(example: &Example, name: &str) -> anyhow::Result<std::sync::Arc<dyn Source>> {
    let others = example.settings.iter().filter(|(other, _)| *other != name).cloned();
    let (sources, _) = open(&crate::env::Env::from_pairs(others).with([("WEBHOOK_BASE_URL", PUBLIC)]))?;
    Ok(sources.iter().next().unwrap_or_else(|| panic!("{} does not start", example.name())).clone())
}

/// One flipped bit, in the body or in what is shown, is somebody else.
pub fn nothing_that_differs_in_a_bit_is_accepted() {
    for example in examples() {
        let (source, sent, name) = (example.start(PUBLIC), Sent::of(&example), example.name());
        let passes = |headers: &HeaderMap, body: &[u8]| sent.passes(&*source, headers, body);
        assert!(passes(&sent.headers, sent.body), "{name}: what is signed is refused");
        for (header, value) in (example.sign)(&sent.address(), sent.body, now()) {
            let mut others = sent.headers.clone();
            others.remove(header);
            assert!(!passes(&others, sent.body), "{name}: without {header}");
            for (bit, flipped) in flipped(value.as_bytes()) {
                // What no header can hold, no listener lets in.
                let Ok(shown) = HeaderValue::from_bytes(&flipped) else { continue };
                let same = shown.to_str().is_ok_and(|shown| (example.spelled)(shown) == (example.spelled)(&value));
                others.insert(header, shown);
                assert!(same || !passes(&others, sent.body), "{name}: bit {bit} of {header}");
            }
        }
        for (bit, body) in flipped(sent.body).filter(|_| example.signs_bodies) {
            let same = (example.is_same)(sent.body, &body);
            assert!(same || !passes(&sent.headers, &body), "{name}: bit {bit} of the body");
        }
    }
}

/// Whatever the body is, what the vendor signed passes, and the same with a flipped bit does not.
pub fn any_body_passes_as_it_was_signed_and_no_other_does() {
    let strategy = (proptest::collection::vec(proptest::num::u8::ANY, 1..120), "[ -~]{1,80}", 0..960_usize);
    for example in examples().into_iter().filter(|example| example.signs_bodies) {
        let (source, sent, name) = (example.start(PUBLIC), Sent::of(&example), example.name());
        let check = |(bytes, text, bit): (Vec<u8>, String, usize)| {
            for body in [bytes, text.into_bytes()] {
                let headers = example.headers(&sent.address(), &body, now());
                prop_assert!(sent.passes(&*source, &headers, &body), "{name}: what is signed is refused");
                let mut other = body.clone();
                other[bit / 8 % body.len()] ^= 1 << (bit % 8);
                let same = (example.is_same)(&body, &other);
                prop_assert!(same || !sent.passes(&*source, &headers, &other), "{name}: bit {bit}");
            }
            Ok(())
        };
        runner(128).run(&strategy, check).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

/// The first request of an example.
struct Sent {
    path: &'static str,
    body: &'static [u8],
    headers: HeaderMap,
}

impl Sent {
    fn of(example: &Example) -> Self {
        let (path, body) = *example.requests().next().unwrap_or_else(|| panic!("{} sends nothing", example.name()));
        let headers = example.headers(&format!("{PUBLIC}{path}"), body.as_bytes(), now());
        Self { path, body: body.as_bytes(), headers }
    }

    fn address(&self) -> String {
        format!("{PUBLIC}{}", self.path)
    }

    /// Whether it passes with these headers and this body.
    fn passes(&self, source: &dyn Source, headers: &HeaderMap, body: &[u8]) -> bool {
        let request = WebhookRequest { target: self.path, headers, body, received_at: now() };
        verify(source, self.path, &request).is_some()
    }
}

/// The bytes with one bit flipped, for each bit.
fn flipped(bytes: &[u8]) -> impl Iterator<Item = (usize, Vec<u8>)> {
    (0..bytes.len() * 8).map(|bit| {
        let mut other = bytes.to_vec();
        other[bit / 8] ^= 1 << (bit % 8);
        (bit, other)
    })
}
