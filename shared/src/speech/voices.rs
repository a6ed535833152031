//! The voices of a recording that has both sides in one channel, as a diarizing model tells them apart.
//!
//! Within one reply its labels can be trusted. Another piece's "A" may be somebody else, so the other pieces are sent with
//! samples of the voices in the first one, and only who is recognised by these keeps a name; all else is unknown.

use std::path::Path;

use base64::{Engine, engine::general_purpose::STANDARD};

use super::{
    blocking,
    buy::Bought,
    reply::{Reply, Segment},
};
use crate::{
    audio::{self, Piece, Span},
    domain::{Speaker, StepError, VerdictExt},
};

/// What OpenAI takes as a sample of a voice, seconds …
const SHORTEST: f64 = 2.0;
const LONGEST: f64 = 10.0;
/// … and how many (facts, crm_ai §2.2).
const MOST: usize = 4;

/// A voice that the server is to recognise.
pub(super) struct Reference {
    /// What to call it.
    pub(super) name: String,
    /// A data URL with some seconds of it.
    pub(super) sound: String,
}

/// Samples of the voices in the first piece, each where it speaks longest. A voice that never speaks long enough has none.
pub(super) async fn references(recording: &Path, spool: &Path, first: &Bought) -> Result<Vec<Reference>, StepError> {
    let mut samples: Vec<(String, Piece)> = Vec::new();
    for (at, label) in labels(&first.reply).into_iter().enumerate().take(MOST) {
        let spoken = first.reply.segments.iter().filter(|segment| segment.voice.as_deref() == Some(label));
        let spans = spoken.flat_map(|s| first.piece.locate(Span { start: s.start, end: s.end }));
        let longest = spans.max_by(|a, b| a.seconds().total_cmp(&b.seconds()));
        if let Some(span) = longest.filter(|span| span.seconds() >= SHORTEST) {
            let span = Span { end: span.end.min(span.start + LONGEST), ..span };
            let sample = Piece { channel: first.piece.channel, stretches: vec![span], speech: vec![span] };
            samples.push((name(at), sample));
        }
    }
    let dir = tempfile::tempdir_in(spool).or_retry("no-space")?;
    let from = recording.to_owned();
    blocking(move |stop| {
        let (names, pieces): (Vec<String>, Vec<Piece>) = samples.into_iter().unzip();
        let files = if pieces.is_empty() { Vec::new() } else { audio::write_pieces(&from, &pieces, dir.path(), stop)? };
        let sound = |file: &Path| {
            let kind = file.extension().and_then(|kind| kind.to_str()).unwrap_or("wav");
            std::fs::read(file).map(|bytes| format!("data:audio/{kind};base64,{}", STANDARD.encode(bytes)))
        };
        names.into_iter().zip(&files).map(|(name, file)| Ok(Reference { name, sound: sound(file)? })).collect()
    })
    .await
}

/// Gives every voice its name throughout the call, and takes away labels that mean nothing there.
pub(super) fn numbered(bought: &mut [Bought]) {
    let Some((first, others)) = bought.split_first_mut() else { return };
    let known: Vec<String> = labels(&first.reply).into_iter().map(str::to_owned).collect();
    rename(&mut first.reply.segments, |label| known.iter().position(|other| other == label).map(name));
    let names: Vec<String> = (0..known.len()).map(name).collect();
    for bought in others {
        rename(&mut bought.reply.segments, |label| names.iter().find(|name| *name == label).cloned());
    }
}

fn rename(segments: &mut [Segment], name: impl Fn(&str) -> Option<String>) {
    for segment in segments {
        segment.voice = segment.voice.as_deref().and_then(&name);
    }
}

/// The labels of a reply, in the order in which they are heard first.
fn labels(reply: &Reply) -> Vec<&str> {
    let mut labels = Vec::new();
    for label in reply.segments.iter().filter_map(|segment| segment.voice.as_deref()) {
        if !labels.contains(&label) {
            labels.push(label);
        }
    }
    labels
}

/// The name of the voice with this number, from 0: what [`Speaker`] reads.
fn name(at: usize) -> String {
    Speaker::Voice(u8::try_from(at + 1).unwrap_or(u8::MAX)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bought(start: f64, voices: &[Option<&str>]) -> Bought {
        let segment = |voice: &Option<&str>| Segment { voice: voice.map(str::to_owned), ..Segment::default() };
        let reply = Reply { segments: voices.iter().map(segment).collect(), ..Reply::default() };
        let span = Span { start, end: start + 10.0 };
        Bought { piece: Piece { channel: 0, stretches: vec![span], speech: vec![span] }, reply }
    }

    #[test]
    fn only_who_was_recognised_keeps_a_name_beyond_the_first_piece() {
        let mut all = [
            bought(0.0, &[Some("B"), Some("A"), None, Some("B")]),
            bought(20.0, &[Some("voice-2"), Some("A"), Some("voice-7")]),
        ];
        numbered(&mut all);
        let voices: Vec<Vec<Option<&str>>> =
            all.iter().map(|b| b.reply.segments.iter().map(|s| s.voice.as_deref()).collect()).collect();
        assert_eq!(voices[0], [Some("voice-1"), Some("voice-2"), None, Some("voice-1")]);
        assert_eq!(voices[1], [Some("voice-2"), None, None]);
    }
}
