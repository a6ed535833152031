//! The table of models: what each answers, holds, understands and costs, and how long it lives. Names are settings; a
//! model that is not here is asked for everything, and for less when it refuses (facts, crm_ai §2.1, §2.2).
//!
//! `TRANSCRIBE_LIMITS` adds to the table and corrects it: `MODEL field=value …; MODEL …`.

use chrono::NaiveDate;

use super::ask::Format;
use crate::env::{Env, EnvError};

const OVERRIDES: &str = "TRANSCRIBE_LIMITS";
/// OpenAI takes 25 MiB; the rest of the form needs some of it.
const BYTES: u64 = 24 << 20;
/// Below every limit in use (1400 s, 1500 s).
const SECONDS: f64 = 1300.0;
/// Whisper reads the last 224 tokens of a prompt. Names take a token for every three letters or so.
const WHISPER_PROMPT: usize = 600;
/// Models that read a prompt as language models do take much more; this is a vocabulary of a few hundred names.
const LONG_PROMPT: usize = 4000;

/// How a model is told of names and jargon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Vocabulary {
    /// As a list of their own.
    Keywords,
    /// In the prompt, which may have so many letters.
    Prompt(usize),
    /// Not at all, and it takes no prompt.
    No,
}

/// What is known of a model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Known {
    /// The richest answer that it gives.
    pub(super) format: Format,
    /// Seconds of audio that a request may hold.
    pub(super) seconds: f64,
    /// Bytes that it may hold.
    pub(super) bytes: u64,
    /// How it is told of names.
    pub(super) vocabulary: Vocabulary,
    /// Whether it can be given several languages to choose from.
    pub(super) languages: bool,
    /// US dollars per minute of audio.
    pub(super) price_per_minute: Option<f64>,
    /// The day on which its maker switches it off.
    pub(super) last_day: Option<NaiveDate>,
}

const UNKNOWN: Known = Known {
    format: Format::Words,
    seconds: SECONDS,
    bytes: BYTES,
    vocabulary: Vocabulary::Prompt(WHISPER_PROMPT),
    languages: false,
    price_per_minute: None,
    last_day: None,
};

const fn old(format: Format, vocabulary: Vocabulary, price: f64) -> Known {
    let last_day = NaiveDate::from_ymd_opt(2027, 2, 26);
    Known { format, vocabulary, price_per_minute: Some(price), last_day, ..UNKNOWN }
}

/// The longer of two names that fit comes first.
const MODELS: [(&str, Known); 5] = [
    ("whisper-1", old(Format::Words, Vocabulary::Prompt(WHISPER_PROMPT), 0.006)),
    ("gpt-4o-transcribe-diarize", old(Format::Diarized, Vocabulary::No, 0.006)),
    ("gpt-4o-transcribe", old(Format::Json, Vocabulary::Prompt(LONG_PROMPT), 0.006)),
    ("gpt-4o-mini-transcribe", old(Format::Json, Vocabulary::Prompt(LONG_PROMPT), 0.003)),
    (
        "gpt-transcribe",
        Known {
            format: Format::Json,
            vocabulary: Vocabulary::Keywords,
            languages: true,
            price_per_minute: Some(0.0045),
            ..UNKNOWN
        },
    ),
];

impl Known {
    /// What is known of the model of this name, or of the one that it is a dated snapshot of; corrected by the setting. Only
    /// OpenAI itself switches its models off: a server of one's own has its `whisper-1` for as long as one likes.
    pub(super) fn of(name: &str, openais: bool, env: &Env) -> Result<Self, EnvError> {
        let is = |known: &str| name.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with("-20"));
        let mut known = MODELS.iter().find(|(name, _)| is(name)).map_or(UNKNOWN, |(_, known)| *known);
        known.last_day = known.last_day.filter(|_| openais);
        for entry in env.var(OVERRIDES).unwrap_or_default().split(';') {
            let mut words = entry.split_whitespace();
            let own = words.next() == Some(name);
            // Those of other models are read too: a mistake is to show before the model is used.
            for word in words {
                let mut read = known;
                read.correct(word).map_err(|why| EnvError::Invalid { name: OVERRIDES.to_owned(), why })?;
                known = if own { read } else { known };
            }
        }
        Ok(known)
    }

    /// One `field=value`.
    fn correct(&mut self, word: &str) -> Result<(), String> {
        let wrong = || {
            format!(
                "{word}: expected answer=words|segments|voices|text, seconds=, bytes=, vocabulary=keywords|prompt|none or until=YYYY-MM-DD"
            )
        };
        let (field, value) = word.split_once('=').ok_or_else(wrong)?;
        match (field, value) {
            ("answer", "words") => self.format = Format::Words,
            ("answer", "segments") => self.format = Format::Segments,
            ("answer", "voices") => self.format = Format::Diarized,
            ("answer", "text") => self.format = Format::Json,
            ("vocabulary", "keywords") => self.vocabulary = Vocabulary::Keywords,
            ("vocabulary", "prompt") => self.vocabulary = Vocabulary::Prompt(WHISPER_PROMPT),
            ("vocabulary", "none") => self.vocabulary = Vocabulary::No,
            ("seconds", _) => self.seconds = value.parse().ok().filter(|s| *s >= 5.0).ok_or_else(wrong)?,
            ("bytes", _) => self.bytes = value.parse().ok().filter(|b| *b >= 200_000).ok_or_else(wrong)?,
            ("until", _) => self.last_day = Some(value.parse().map_err(|_| wrong())?),
            _ => return Err(wrong()),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests may panic")]
    use super::*;

    fn known(name: &str, overrides: &str) -> Result<Known, EnvError> {
        Known::of(name, true, &Env::from_pairs([(OVERRIDES, overrides)]))
    }

    #[test]
    fn models_are_known_by_name_and_by_snapshot() {
        let of = |name| known(name, "").unwrap();
        assert_eq!(of("whisper-1").format, Format::Words);
        assert_eq!(of("gpt-4o-mini-transcribe-2025-12-15").price_per_minute, Some(0.003));
        assert_eq!(of("gpt-4o-transcribe-diarize").format, Format::Diarized);
        assert_eq!(of("Systran/faster-whisper-small"), UNKNOWN);
    }

    #[test]
    fn only_at_openai_a_model_has_a_last_day_and_its_usual_one_has_none() {
        let (openai, own) = (|name| known(name, "").unwrap(), |name| Known::of(name, false, &Env::default()).unwrap());
        assert!(openai("whisper-1").last_day.is_some() && openai("gpt-transcribe").last_day.is_none());
        assert_eq!(own("whisper-1"), Known { last_day: None, ..openai("whisper-1") });
    }

    #[test]
    fn the_table_is_corrected_for_the_models_that_the_setting_names() {
        let overrides = "own answer=text seconds=30 vocabulary=keywords; whisper-1 bytes=1000000 until=2026-12-01;";
        let own = known("own", overrides).unwrap();
        assert_eq!((own.format, own.seconds, own.vocabulary), (Format::Json, 30.0, Vocabulary::Keywords));
        let whisper = known("whisper-1", overrides).unwrap();
        assert_eq!((whisper.bytes, whisper.seconds, whisper.format), (1_000_000, SECONDS, Format::Words));
        assert_eq!(whisper.last_day, NaiveDate::from_ymd_opt(2026, 12, 1));
    }

    #[test]
    fn a_mistake_in_the_setting_is_found_whatever_model_it_is_about() {
        for wrong in ["own answer=loud", "own seconds=1", "own bytes", "own until=tomorrow", "own colour=red"] {
            let error = known("whisper-1", wrong).unwrap_err().to_string();
            assert!(error.starts_with("TRANSCRIBE_LIMITS cannot be used: "), "{error}");
        }
    }
}
