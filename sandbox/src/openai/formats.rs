//! The answer formats of a transcription.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::said::Said;

/// What a model can answer with.
pub(super) fn known(model: &str) -> Option<&'static [&'static str]> {
    match model {
        "gpt-transcribe" => Some(&["json"]),
        "gpt-4o-transcribe-diarize" => Some(&["json", "text", "diarized_json"]),
        "gpt-4o-transcribe" | "gpt-4o-mini-transcribe" => Some(&["json", "text"]),
        // Self-hosted servers know Whisper under many names.
        whisper if whisper.contains("whisper") => Some(&["json", "text", "srt", "verbose_json", "vtt"]),
        _ => None,
    }
}

/// What was asked beside the format.
pub(super) struct Asked<'a> {
    pub(super) model: &'a str,
    /// Whether `timestamp_granularities[]` wants them.
    pub(super) words: bool,
    /// Channels whose voices have a name.
    pub(super) voices: &'a [(usize, String)],
}

pub(super) fn answer(format: &str, asked: &Asked<'_>, said: &[Said], duration: f64) -> Response {
    let text = said.iter().map(Said::text).collect::<Vec<_>>().join(" ");
    match format {
        "text" => format!("{text}\n").into_response(),
        "srt" => subtitles(said, ',', "").into_response(),
        "vtt" => subtitles(said, '.', "WEBVTT\n\n").into_response(),
        "verbose_json" => Json(verbose(said, &text, duration, asked.words)).into_response(),
        "diarized_json" => Json(diarized(said, &text, duration, asked.voices)).into_response(),
        _ => Json(plain(asked.model, &text, duration)).into_response(),
    }
}

fn seconds(duration: f64) -> Value {
    json!({"type": "duration", "seconds": duration.ceil()})
}

fn plain(model: &str, text: &str, duration: f64) -> Value {
    match model {
        "gpt-transcribe" => json!({"text": text, "languages": [{"code": "en"}], "usage": seconds(duration)}),
        _ if model.starts_with("gpt") => {
            let (input, output) = ((duration * 10.0).ceil(), (text.len() / 4) as f64);
            json!({"text": text, "usage": {
                "type": "tokens", "input_tokens": input, "output_tokens": output, "total_tokens": input + output,
                "input_token_details": {"text_tokens": 0, "audio_tokens": input},
            }})
        }
        _ => json!({"text": text, "usage": seconds(duration)}),
    }
}

fn verbose(said: &[Said], text: &str, duration: f64, words: bool) -> Value {
    let segment = |(id, said): (usize, &Said)| {
        json!({
            "id": id, "seek": 0, "start": said.start, "end": said.end, "text": format!(" {}", said.text()),
            "tokens": said.words.iter().enumerate().map(|(at, _)| 50_364 + at).collect::<Vec<_>>(),
            "temperature": 0.0, "avg_logprob": -0.21, "compression_ratio": 1.2, "no_speech_prob": 0.01,
        })
    };
    let mut body = json!({
        "task": "transcribe", "language": "english", "duration": duration, "text": text,
        "segments": said.iter().enumerate().map(segment).collect::<Vec<_>>(),
        "usage": seconds(duration),
    });
    if words {
        let all = said.iter().flat_map(|said| &said.words);
        let word = |word: &super::said::Word| {
            let bare = word.text.trim_end_matches(['.', ',', '?', '!']);
            json!({"word": bare, "start": word.start, "end": word.end})
        };
        body["words"] = all.map(word).collect();
    }
    body
}

fn diarized(said: &[Said], text: &str, duration: f64, voices: &[(usize, String)]) -> Value {
    let first = said.first().map(|said| said.channel);
    let label = |channel: usize| {
        let named = voices.iter().find(|(known, _)| *known == channel).map(|(_, name)| name.as_str());
        named.unwrap_or(if Some(channel) == first { "A" } else { "B" })
    };
    let segment = |(at, said): (usize, &Said)| {
        json!({
            "type": "transcript.text.segment", "id": format!("seg_{:03}", at + 1), "start": said.start,
            "end": said.end, "text": said.text(), "speaker": label(said.channel),
        })
    };
    json!({
        "task": "transcribe", "duration": duration, "text": text,
        "segments": said.iter().enumerate().map(segment).collect::<Vec<_>>(),
        "usage": seconds(duration),
    })
}

fn subtitles(said: &[Said], point: char, head: &str) -> String {
    let clock = |seconds: f64| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "not negative, and calls are short"
        )]
        let ms = (seconds * 1000.0).round() as u64;
        format!("{:02}:{:02}:{:02}{point}{:03}", ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60, ms % 1000)
    };
    let mut lines = head.to_owned();
    for (at, said) in said.iter().enumerate() {
        if point == ',' {
            lines.push_str(&format!("{}\n", at + 1));
        }
        lines.push_str(&format!("{} --> {}\n{}\n\n", clock(said.start), clock(said.end), said.text()));
    }
    lines
}
