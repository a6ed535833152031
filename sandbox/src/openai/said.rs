//! What is said in a stretch of a sample call: its sentences and words, counted from the start of the stretch.

use super::parts::Part;
use crate::samples::Sentence;

/// A sentence, or what is left of it.
#[derive(Clone, Debug)]
pub(super) struct Said {
    /// 0 the caller, 1 the agent.
    pub(super) channel: usize,
    /// Seconds from the start of the piece.
    pub(super) start: f64,
    /// Seconds from the start of the piece.
    pub(super) end: f64,
    pub(super) words: Vec<Word>,
}

/// A word, placed within its sentence by its share of the letters.
#[derive(Clone, Debug)]
pub(super) struct Word {
    pub(super) start: f64,
    pub(super) end: f64,
    pub(super) text: String,
}

impl Said {
    pub(super) fn text(&self) -> String {
        self.words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ")
    }
}

/// Sentences clipped to a part of the piece. A word belongs to the piece that its middle lies in, so that two pieces cut at
/// any place never say a word twice, and never lose one.
pub(super) fn said(part: &Part) -> Vec<Said> {
    let Part { place, from, to } = part;
    let mut all = Vec::new();
    for turn in place.sample.turns.iter().filter(|turn| place.channel.is_none_or(|channel| channel == turn.channel)) {
        for sentence in &turn.sentences {
            let mut words = words(sentence, place.offset - from);
            words.retain(|word| (*from..*to).contains(&f64::midpoint(word.start, word.end)));
            let (start, end) = (sentence.start - place.offset + from, sentence.end - place.offset + from);
            if !words.is_empty() {
                all.push(Said { channel: turn.channel, start: start.max(*from), end: end.min(*to), words });
            }
        }
    }
    all.sort_by(|one, other| one.start.total_cmp(&other.start));
    all
}

fn words(sentence: &Sentence, offset: f64) -> Vec<Word> {
    let texts: Vec<&str> = sentence.text.split_whitespace().collect();
    let letters = |text: &str| text.chars().count() as f64 + 1.0;
    let all: f64 = texts.iter().map(|text| letters(text)).sum();
    let mut at = sentence.start - offset;
    let mut place = |text: &str| {
        let start = at;
        at += (sentence.end - sentence.start) * letters(text) / all;
        Word { start, end: at, text: text.to_owned() }
    };
    texts.into_iter().map(&mut place).collect()
}
