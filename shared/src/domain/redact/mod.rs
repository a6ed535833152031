//! Takes out of a transcript what must not lie about: card numbers, IBANs, secrets that were said aloud, e-mail addresses. What
//! is found may be written in digits or spelled out, with anything in between, and may go on in the next turn.
//!
//! [`tokens`] cuts the turns into words with what they stand for ([`numbers`]); [`cards`], [`ibans`], [`secrets`] and [`emails`] each find
//! one kind in them. To add a kind: a variant of [`Redacted`], its file, its line in [`Redact::apply`].

mod cards;
mod emails;
mod ibans;
mod numbers;
mod secrets;
mod tokens;

use std::{collections::BTreeSet, ops::Range, str::FromStr};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use self::tokens::Token;
use super::{Coaching, Judged, Speaker, Transcript, Turn};

/// A kind of thing that is taken out. Where two of them overlap, the first has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Redacted {
    /// A bank account's number.
    Iban,
    /// A payment card's number: 13 to 19 digits with a right check digit.
    Card,
    /// A password, PIN, card verification code or one-time code.
    Secret,
    /// An e-mail address.
    Email,
}

impl Redacted {
    const ALL: [Self; 4] = [Self::Iban, Self::Card, Self::Secret, Self::Email];

    /// The name in settings and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Iban => "iban",
            Self::Card => "card",
            Self::Secret => "secret",
            Self::Email => "email",
        }
    }

    /// What stands in the text instead.
    const fn placeholder(self) -> &'static str {
        match self {
            Self::Iban => "[IBAN]",
            Self::Card => "[card number]",
            Self::Secret => "[secret]",
            Self::Email => "[e-mail]",
        }
    }
}

/// Which kinds are taken out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redact(BTreeSet<Redacted>);

impl Default for Redact {
    /// All but e-mail addresses, which are what many calls are about.
    fn default() -> Self {
        Self(BTreeSet::from([Redacted::Card, Redacted::Iban, Redacted::Secret]))
    }
}

impl FromStr for Redact {
    type Err = String;

    /// `off`, or kinds with commas between them.
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self(BTreeSet::new()));
        }
        let kind = |name: &str| Redacted::ALL.into_iter().find(|kind| kind.as_str() == name.trim());
        let kinds: Option<BTreeSet<_>> = text.split(',').map(kind).collect();
        kinds.map(Self).ok_or_else(|| "expected off, or some of card, iban, secret, email with commas".to_owned())
    }
}

/// Tokens of the transcript, from the first to before the last, that are one thing to be taken out.
type Span = Range<usize>;

impl Redacted {
    /// The tokens that are to be taken out.
    fn find(self, tokens: &[Token]) -> Vec<usize> {
        let find: fn(&[Token]) -> Vec<Span> = match self {
            Self::Iban => ibans::find,
            Self::Card => cards::find,
            Self::Secret => return secrets::find(tokens),
            Self::Email => emails::find,
        };
        // It may go on behind whatever the other party says in the middle of it.
        let own = tokens::by_speaker(tokens)
            .into_iter()
            .flat_map(|(places, own)| find(&own).into_iter().flatten().map(move |at| places[at]).collect::<Vec<_>>());
        find(tokens).into_iter().flatten().chain(own).collect()
    }
}

impl Redact {
    /// The transcript without what is to be taken out, and with a note of the kinds that were. Doing it twice changes nothing.
    #[must_use]
    pub fn apply(&self, mut transcript: Transcript) -> Transcript {
        // What was taken out may have stood between an announcement and what it announces.
        while self.take_out(&mut transcript) {}
        transcript
    }

    /// What a provider made of a call, without the same.
    #[must_use]
    pub fn judged(&self, judged: Judged) -> Judged {
        let data = judged.collected_data.into_iter().map(|(name, value)| {
            // A bare number is a PIN only because its name says so.
            let (head, whole) = (format!("{name}: "), self.text(format!("{name}: {value}")));
            let value = whole.strip_prefix(&head).map(str::to_owned).unwrap_or(whole);
            (name, value)
        });
        let coaching = judged.coaching.into_iter().map(|coaching| Coaching {
            strength: coaching.strength.map(|text| self.text(text)),
            improvement: coaching.improvement.map(|text| self.text(text)),
            ..coaching
        });
        Judged {
            summary: self.text(judged.summary),
            coaching: coaching.collect(),
            collected_data: data.collect(),
            ..judged
        }
    }

    fn text(&self, text: String) -> String {
        let turns = vec![Turn { start: 0.0, end: 0.0, speaker: Speaker::Unknown, text }];
        let applied = self.apply(Transcript { turns, ..Transcript::default() });
        applied.turns.into_iter().map(|turn| turn.text).collect()
    }

    /// Whether there was anything to be taken out.
    fn take_out(&self, transcript: &mut Transcript) -> bool {
        let tokens = tokens::of(&transcript.turns);
        let mut taken: Vec<Option<Redacted>> = vec![None; tokens.len()];
        for kind in &self.0 {
            for token in kind.find(&tokens) {
                taken[token].get_or_insert(*kind);
            }
        }
        if taken.iter().all(Option::is_none) {
            return false;
        }
        for (at, turn) in transcript.turns.iter_mut().enumerate() {
            let of_turn =
                tokens.partition_point(|token| token.turn < at)..tokens.partition_point(|token| token.turn <= at);
            turn.text = without(&turn.text, tokens[of_turn.clone()].iter().zip(&taken[of_turn]));
        }
        transcript.redacted.extend(taken.into_iter().flatten());
        true
    }
}

/// The text with each run of taken tokens, and what stands between them, replaced by its kind.
fn without<'t>(text: &str, tokens: impl Iterator<Item = (&'t Token, &'t Option<Redacted>)>) -> String {
    let mut left = String::with_capacity(text.len());
    let mut copied = 0;
    let mut before = None;
    for (token, kind) in tokens {
        match kind {
            Some(kind) if before == Some(*kind) => copied = token.bytes.end,
            Some(kind) => {
                left.push_str(&text[copied..token.bytes.start]);
                left.push_str(kind.placeholder());
                copied = token.bytes.end;
            }
            None => {}
        }
        before = *kind;
    }
    left.push_str(&text[copied..]);
    left
}

#[cfg(test)]
mod tests;
