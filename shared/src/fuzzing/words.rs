//! What was said and written: words of calls, phone numbers, names in links.

use crate::{
    db::console::Cursor,
    domain::{Phone, ProviderId, Redact, Speaker, Spoken, Transcript, Turn},
    links::Links,
};

/// The longest thing that stands for a token that was taken out.
const PLACEHOLDER: usize = "[card number]".len();

/// A call, with a turn in each line: what must not lie about is taken out, once and for all, and nothing grows without end.
/// Every line is a quote of it.
pub fn words(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let said = transcript(&text);
    let all: Redact = "card,iban,secret,email".parse().expect("kinds");
    let once = all.apply(said.clone());
    for (before, after) in said.turns.iter().zip(&once.turns) {
        assert!(after.text.len() <= before.text.len() * PLACEHOLDER, "{:?} became {:?}", before.text, after.text);
    }
    assert_eq!(all.apply(once.clone()), once, "doing it twice changes something");
    let spoken = Spoken::of(&said);
    for line in text.lines() {
        assert!(!line.contains(|c: char| c.is_ascii_alphanumeric()) || spoken.by(line).is_some(), "{line:?} was said");
        phone(line);
    }
}

/// Whoever speaks in turn.
pub(super) fn transcript(text: &str) -> Transcript {
    let speakers = [Speaker::Caller, Speaker::Agent, Speaker::Unknown];
    let turn = |(at, line): (usize, &str)| {
        let start = at as f64;
        Turn { start, end: start + 1.0, speaker: speakers[at % 3], text: line.to_owned() }
    };
    Transcript { turns: text.lines().enumerate().map(turn).collect(), ..Transcript::default() }
}

fn phone(text: &str) {
    let Some(phone) = Phone::parse(text) else { return };
    assert!((6..=16).contains(&phone.as_str().len()) && phone.as_str().is_ascii(), "{}", phone.as_str());
    assert_eq!(Phone::parse(phone.as_str()).as_ref(), Some(&phone));
}

/// A place in the list, and a name with a signature, of somebody who knows no secret.
pub fn name(text: &str) {
    if let Ok(cursor) = text.parse::<Cursor>() {
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
    }
    let links = Links::new(None, "an unguessable secret".to_owned().into());
    let (name, signature) = text.split_once('=').unwrap_or((text, ""));
    assert!(!links.check(&ProviderId::new("twilio"), name, signature), "{text:?} opens a recording");
}
