//! Puts replies back together: each segment where it was said in the recording, all voices in one order.

use super::{buy::Bought, guards::said, reply::Segment};
use crate::{
    audio::{Piece, Span},
    domain::{Speaker, Turn},
};

/// What one known speaker says after a shorter pause than this belongs to the same turn, seconds.
const SAME_TURN: f64 = 1.0;
/// A piece with a longer pause than this holds more than one turn, seconds.
const ONE_TURN: f64 = 2.0;
/// A segment that reaches less far into a stretch's speech than this does not belong there, seconds.
const TOUCH: f64 = 0.15;

/// The turns of a call, ordered by start. `sides` says who is on each channel; without them the replies may tell voices
/// apart.
pub(super) fn merged(bought: &[Bought], sides: Option<[Speaker; 2]>) -> Vec<Turn> {
    let mut turns: Vec<Turn> = Vec::new();
    for Bought { piece, reply } in bought {
        for segment in said(piece, reply) {
            let speaker = match sides {
                Some(sides) => sides.get(piece.channel).copied(),
                None => segment.voice.as_deref().and_then(|voice| voice.parse().ok()),
            };
            let speaker = speaker.unwrap_or(Speaker::Unknown);
            turns.extend(match reply.timed() {
                true => place(piece, &segment, speaker),
                false => untimed(piece, &segment, speaker),
            });
        }
    }
    turns.sort_by(|a, b| a.start.total_cmp(&b.start).then(a.end.total_cmp(&b.end)));
    let mut merged: Vec<Turn> = Vec::with_capacity(turns.len());
    for turn in turns {
        match merged.last_mut() {
            // Two strangers in a row may be two people.
            Some(last)
                if last.speaker == turn.speaker
                    && turn.speaker != Speaker::Unknown
                    && turn.start - last.end < SAME_TURN =>
            {
                last.end = last.end.max(turn.end);
                last.text = format!("{} {}", last.text, turn.text);
            }
            _ => merged.push(turn),
        }
    }
    merged
}

/// Whether the turns of a reply have times of their own, from the server or from where speech was heard.
pub(super) fn timed(bought: &Bought) -> bool {
    bought.reply.timed() || is_one_turn(&bought.piece)
}

/// A reply without times is one turn, from the piece's first to its last word; unless the piece was cut for a server that
/// was believed to give times, and holds more than one.
fn untimed(piece: &Piece, whole: &Segment, speaker: Speaker) -> Vec<Turn> {
    if is_one_turn(piece) {
        let Span { start, end } = piece.span();
        return vec![Turn { start, end, speaker, text: whole.text.clone() }];
    }
    place(piece, whole, speaker)
}

fn is_one_turn(piece: &Piece) -> bool {
    piece.speech.windows(2).all(|pair| pair[1].start - pair[0].end < ONE_TURN)
}

/// A segment in the recording's time. It may have run over a silence that was shortened; then it is more than one turn.
fn place(piece: &Piece, segment: &Segment, speaker: Speaker) -> Vec<Turn> {
    let length = piece.seconds();
    let start = segment.start.clamp(0.0, length);
    let span = Span { start, end: segment.end.clamp(start, length) };
    // A segment without length still has a place.
    let wide = Span { start: span.start.min(length - 0.01), end: span.end.max(span.start + 0.01) };
    let touched = piece.locate(wide);
    let mut parts: Vec<Span> = touched.iter().filter_map(|part| tightened(piece, *part)).collect();
    if parts.is_empty() {
        parts.extend(touched.into_iter().max_by(|a, b| a.seconds().total_cmp(&b.seconds())));
    }
    let texts = split(piece, segment, &parts);
    let turn = |(span, text): (&Span, String)| Turn { start: span.start, end: span.end, speaker, text };
    parts.iter().zip(texts).map(turn).filter(|turn| !turn.text.is_empty()).collect()
}

/// The part from the first to the last speech in it: servers stretch segments over the silence around them.
fn tightened(piece: &Piece, part: Span) -> Option<Span> {
    let within: Vec<&Span> = piece.speech.iter().filter(|speech| speech.overlap(part) > 0.0).collect();
    let (first, last) = (within.first()?, within.last()?);
    let heard: f64 = within.iter().map(|speech| speech.overlap(part)).sum();
    let enough = TOUCH.min(part.seconds() / 2.0);
    (heard >= enough).then(|| Span { start: part.start.max(first.start), end: part.end.min(last.end) })
}

/// The segment's text for each part: by the times of its words, else by how long each part is.
fn split(piece: &Piece, segment: &Segment, parts: &[Span]) -> Vec<String> {
    let words: Vec<&str> = segment.text.split_whitespace().collect();
    if parts.len() < 2 {
        return vec![words.join(" ")];
    }
    let ends: Vec<usize> = if segment.words.len() == words.len() {
        let at = |&(start, end): &(f64, f64)| piece.locate(Span { start, end: end.max(start + 0.01) });
        let place = |word| at(word).first().map_or(0.0, |span| (span.start + span.end) / 2.0);
        parts.iter().map(|part| segment.words.iter().filter(|word| place(word) < part.end + 0.5).count()).collect()
    } else {
        by_length(&words, parts)
    };
    let mut from = 0;
    let last = ends.len() - 1;
    let text = |(i, end): (usize, usize)| {
        let to = if i == last { words.len() } else { end.clamp(from, words.len()) };
        let text = words[from..to].join(" ");
        from = to;
        text
    };
    ends.into_iter().enumerate().map(text).collect()
}

/// How many words go into the first part, the first two and so on: in proportion, but rather where a sentence ends.
fn by_length(words: &[&str], parts: &[Span]) -> Vec<usize> {
    let letters: Vec<usize> = words
        .iter()
        .scan(0, |sum, word| {
            *sum += word.chars().count() + 1;
            Some(*sum)
        })
        .collect();
    let all = letters.last().copied().unwrap_or(0) as f64;
    let seconds: f64 = parts.iter().map(|part| part.seconds()).sum();
    let mut share = 0.0;
    let end = |part: &Span| {
        share += part.seconds() / seconds.max(0.001);
        let off = |i: &usize| {
            let sentence = words[*i].ends_with(['.', '?', '!', '…', '。', '？', '！']);
            (letters[*i] as f64 - share * all).abs() + if sentence { 0.0 } else { all * 0.15 }
        };
        (0..words.len()).min_by(|a, b| off(a).total_cmp(&off(b))).map_or(0, |i| i + 1)
    };
    parts.iter().map(end).collect()
}

#[cfg(test)]
mod tests {
    use super::{super::reply::Reply, *};

    const SIDES: Option<[Speaker; 2]> = Some([Speaker::Caller, Speaker::Agent]);

    fn spans(spans: &[(f64, f64)]) -> Vec<Span> {
        spans.iter().map(|&(start, end)| Span { start, end }).collect()
    }

    /// Speech at 10–12 s and at 20–24 s, sent as 0.5–2.5 s and 3.5–7.5 s.
    fn piece(channel: usize) -> Piece {
        Piece { channel, stretches: spans(&[(9.5, 12.5), (19.5, 24.5)]), speech: spans(&[(10.0, 12.0), (20.0, 24.0)]) }
    }

    fn turns(segments: &[Segment]) -> Vec<(f64, f64, String)> {
        let text = segments.iter().map(|s| s.text.as_str()).collect::<Vec<_>>().join(" ");
        let reply = Reply { text, segments: segments.to_vec(), language: None };
        let turns = merged(&[Bought { piece: piece(0), reply }], SIDES);
        turns.into_iter().map(|t| (t.start, t.end, t.text)).collect()
    }

    fn segment(start: f64, end: f64, text: &str) -> Segment {
        Segment { start, end, text: text.to_owned(), ..Segment::default() }
    }

    #[test]
    fn segments_are_where_they_were_said_without_the_silence_around() {
        let found = turns(&[segment(0.0, 3.4, "Hello there."), segment(3.4, 8.0, "I have a question.")]);
        let expected = [(10.0, 12.0, "Hello there.".into()), (20.0, 24.0, "I have a question.".into())];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_segment_over_a_shortened_silence_is_split_at_its_words() {
        let mut over = segment(0.5, 7.5, "Yes. No, that is not what I meant.");
        over.words =
            vec![(0.5, 2.4), (3.5, 4.0), (4.0, 4.2), (4.2, 4.4), (4.4, 4.6), (4.6, 5.0), (5.0, 5.2), (5.2, 7.5)];
        let expected = [(10.0, 12.0, "Yes.".into()), (20.0, 24.0, "No, that is not what I meant.".into())];
        assert_eq!(turns(&[over]), expected);
    }

    #[test]
    fn without_words_it_is_split_between_sentences_in_proportion() {
        let found = turns(&[segment(0.5, 7.5, "Yes, of course. No, that is really not what I meant.")]);
        let expected =
            [(10.0, 12.0, "Yes, of course.".into()), (20.0, 24.0, "No, that is really not what I meant.".into())];
        assert_eq!(found, expected);
    }

    #[test]
    fn text_alone_gets_the_times_of_its_piece() {
        let piece = Piece { channel: 1, stretches: spans(&[(3.5, 7.5)]), speech: spans(&[(4.0, 5.0), (5.4, 7.0)]) };
        let reply = Reply { text: "Good morning.".into(), ..Reply::default() };
        let turns = merged(&[Bought { piece, reply }], SIDES);
        assert_eq!((turns[0].start, turns[0].end, turns.len()), (4.0, 7.0, 1));
    }

    #[test]
    fn voices_come_in_the_order_in_which_they_spoke() {
        let bought = |channel, segments: &[Segment]| Bought {
            piece: piece(channel),
            reply: Reply { text: "x".into(), segments: segments.to_vec(), language: None },
        };
        let caller = bought(0, &[segment(0.5, 1.2, "Hello?"), segment(1.4, 2.5, "Anyone?")]);
        let agent = bought(1, &[segment(1.2, 1.4, "Yes."), segment(3.5, 5.0, "One"), segment(5.2, 7.0, "moment.")]);
        let order = |unknown: bool| {
            let sides = SIDES.filter(|_| !unknown);
            let turns = merged(&[bought(0, &caller.reply.segments), bought(1, &agent.reply.segments)], sides);
            turns.into_iter().map(|t| t.text).collect::<Vec<_>>()
        };
        assert_eq!(order(false), ["Hello?", "Yes.", "Anyone?", "One moment."]);
        assert_eq!(order(true), ["Hello?", "Yes.", "Anyone?", "One", "moment."]);
    }

    #[test]
    fn times_beyond_the_piece_do_no_harm() {
        let found = turns(&[segment(7.0, 99.0, "Bye."), segment(80.0, 90.0, "Bye now.")]);
        assert!(found.iter().all(|(start, end, _)| (10.0..=24.5).contains(start) && end >= start && *end <= 24.5));
    }
}
