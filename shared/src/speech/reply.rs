//! Reads a reply leniently: only the text is needed. Servers leave fields out, send numbers as text and null for what
//! they do not know (facts, crm_ai §2.5).

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A reply.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Reply {
    /// All of it.
    pub(super) text: String,
    /// With times; empty where the server gives none.
    pub(super) segments: Vec<Segment>,
    /// Name or code, as the server gives it.
    pub(super) language: Option<String>,
}

/// Part of a reply. Times are seconds from the start of the piece.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Segment {
    pub(super) start: f64,
    pub(super) end: f64,
    pub(super) text: String,
    /// Start and end of each of its words; empty where they are not known.
    pub(super) words: Vec<(f64, f64)>,
    /// How sure the model is that nobody speaks, 0 to 1.
    pub(super) no_speech: Option<f64>,
    /// How sure it is of the words, as a mean logarithm.
    pub(super) logprob: Option<f64>,
    /// How well the text can be compressed: much is a loop.
    pub(super) compression: Option<f64>,
    /// The voice, as a diarizing server calls it.
    pub(super) voice: Option<String>,
}

impl Reply {
    /// `None` for anything that is not a transcript in JSON.
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        let body: Value = serde_json::from_slice(body).ok()?;
        let text = words_of(&body["text"])?;
        let segments = body["segments"].as_array().map_or(&[][..], Vec::as_slice);
        let segments: Option<Vec<Segment>> = segments.iter().map(segment).collect();
        let mut segments = segments.unwrap_or_default();
        let words = times(&body["words"]);
        for segment in &mut segments {
            if segment.words.is_empty() {
                let within = |(start, end): &(f64, f64)| (segment.start..segment.end).contains(&((start + end) / 2.0));
                segment.words = words.iter().copied().filter(within).collect();
            }
        }
        let language = body["language"].as_str().or_else(|| body["languages"][0]["code"].as_str());
        let language = language.filter(|language| !language.is_empty()).map(str::to_owned);
        Some(Self { text, segments, language })
    }

    /// Whether the server said when things were said. A reply without words needs no times.
    pub(super) fn timed(&self) -> bool {
        !self.segments.is_empty() || self.text.is_empty()
    }
}

fn segment(value: &Value) -> Option<Segment> {
    Some(Segment {
        start: number(&value["start"])?,
        end: number(&value["end"])?,
        text: words_of(&value["text"])?,
        words: times(&value["words"]),
        no_speech: number(&value["no_speech_prob"]),
        logprob: number(&value["avg_logprob"]),
        compression: number(&value["compression_ratio"]),
        voice: value["speaker"].as_str().map(str::to_owned),
    })
}

/// Without what no database keeps in a text.
fn words_of(value: &Value) -> Option<String> {
    Some(value.as_str()?.replace('\0', "").trim().to_owned())
}

fn times(words: &Value) -> Vec<(f64, f64)> {
    let words = words.as_array().map_or(&[][..], Vec::as_slice);
    words.iter().filter_map(|word| Some((number(&word["start"])?, number(&word["end"])?))).collect()
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok()).filter(|number| number.is_finite())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests may panic")]
    use super::*;

    #[test]
    fn the_dialects_of_all_servers_are_read() {
        let openai = r#"{"task":"transcribe","language":"english","duration":8.47,"text":"Hello, thank you.","segments":[{"id":0,"seek":0,"start":0.0,"end":3.3,"text":" Hello, thank you.","tokens":[1],"temperature":0.0,"avg_logprob":-0.286,"compression_ratio":1.2,"no_speech_prob":0.0098}],"words":[{"word":"Hello","start":0.0,"end":0.42},{"word":"thank","start":0.6,"end":0.9},{"word":"you","start":0.9,"end":1.2}],"usage":{"type":"duration","seconds":9}}"#;
        let whisper_cpp = r#"{"task":"transcribe","language":"english","duration":3.2,"text":" Hello there.\n","segments":[{"id":0,"text":" Hello there.","start":0.0,"end":3.3,"tokens":[50364,2425],"words":[{"word":" Hello","start":0.0,"end":0.4,"t_dtw":-1},{"word":" there.","start":0.4,"end":0.8},{"word":"x","start":0.8,"end":0.9}],"temperature":0.0,"avg_logprob":-0.21,"no_speech_prob":0.01}],"detected_language":"english"}"#;
        let vllm = r#"{"duration":"27.4","language":"en","text":"Hi","segments":[{"id":0,"start":"0.0","end":3.3,"text":"Hi","avg_logprob":null,"no_speech_prob":null,"seek":null}],"words":null}"#;
        for (body, words, language) in [(openai, 3, "english"), (whisper_cpp, 3, "english"), (vllm, 0, "en")] {
            let reply = Reply::read(body.as_bytes()).unwrap();
            assert!(reply.timed());
            assert_eq!((reply.segments[0].end, reply.segments[0].words.len()), (3.3, words), "{body}");
            assert_eq!(reply.language.as_deref(), Some(language));
        }
    }

    #[test]
    fn text_alone_is_a_reply_without_times() {
        let bodies = [
            r#"{"text":"Buongiorno","languages":[{"code":"it"}],"usage":{"type":"duration","seconds":9}}"#,
            r#"{"text":"Buongiorno","language":"it","segments":[{"text":"Buongiorno"}]}"#,
        ];
        for body in bodies {
            let reply = Reply::read(body.as_bytes()).unwrap();
            assert!(!reply.timed());
            assert_eq!((reply.text.as_str(), reply.language.as_deref()), ("Buongiorno", Some("it")));
        }
    }

    #[test]
    fn what_is_no_transcript_is_no_reply() {
        for body in ["", "<html>Sign in</html>", "null", "{}", r#"{"error":"loading"}"#, r#"{"text":"cut o"#] {
            assert_eq!(Reply::read(body.as_bytes()), None, "{body}");
        }
    }
}
