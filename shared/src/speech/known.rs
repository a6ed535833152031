//! What is known of some models: what they answer, hold and cost, and how long they live. Names are settings; a model
//! that is not here is asked for everything, and for less when it refuses (facts, crm_ai §2.1, §2.2).

use chrono::NaiveDate;

use super::ask::Format;

/// OpenAI takes 25 MiB; the rest of the form needs some of it.
const BYTES: u64 = 24 << 20;
/// Below every limit in use (1400 s, 1500 s).
const SECONDS: f64 = 1300.0;

/// What is known of a model.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    /// The richest answer that it gives.
    pub(super) format: Format,
    /// Seconds of audio that a request may hold.
    pub(super) seconds: f64,
    /// Bytes that it may hold.
    pub(super) bytes: u64,
    /// US dollars per minute of audio.
    pub(super) price_per_minute: Option<f64>,
}

/// Name, format, price per minute, day of shutdown. The longer of two names that fit comes first.
type Row = (&'static str, Format, f64, Option<(i32, u32, u32)>);
const MODELS: [Row; 5] = [
    ("whisper-1", Format::Words, 0.006, Some((2027, 2, 26))),
    ("gpt-4o-transcribe-diarize", Format::Diarized, 0.006, Some((2027, 2, 26))),
    ("gpt-4o-transcribe", Format::Json, 0.006, Some((2027, 2, 26))),
    ("gpt-4o-mini-transcribe", Format::Json, 0.003, Some((2027, 2, 26))),
    ("gpt-transcribe", Format::Json, 0.0045, None),
];

/// What is known of the model of this name.
pub(super) fn model(name: &str) -> Known {
    let unknown = Known { format: Format::Words, seconds: SECONDS, bytes: BYTES, price_per_minute: None };
    row(name).map_or(unknown, |(_, format, price, _)| Known {
        format: *format,
        price_per_minute: Some(*price),
        ..unknown
    })
}

/// When OpenAI switches the model off, where that is known.
pub(super) fn shutdown(name: &str) -> Option<NaiveDate> {
    let (_, _, _, Some((year, month, day))) = row(name)? else { return None };
    NaiveDate::from_ymd_opt(*year, *month, *day)
}

/// The name itself, or a dated snapshot of it.
fn row(model: &str) -> Option<&'static Row> {
    let is = |name: &str| model.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with("-20"));
    MODELS.iter().find(|(name, ..)| is(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_are_known_by_name_and_by_snapshot() {
        assert_eq!(model("whisper-1").format, Format::Words);
        assert_eq!(model("gpt-4o-mini-transcribe-2025-12-15").price_per_minute, Some(0.003));
        assert_eq!(model("gpt-4o-transcribe-diarize").format, Format::Diarized);
        assert_eq!(model("Systran/faster-whisper-small").price_per_minute, None);
        assert!(shutdown("whisper-1").is_some() && shutdown("gpt-transcribe").is_none());
    }
}
