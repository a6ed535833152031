//! Plans what is sent to a speech server.
//!
//! Servers bill by the second, hear better with context, and invent words in long silences. So a piece holds up to two
//! minutes of one voice, in which silences longer than a second are shortened to a second: about one request per minute
//! of a call's length, and none of its silence paid for. [`Piece`] knows which stretches of the recording it is made of
//! and maps times in the reply back. Where a reply will have no times, a piece is what one voice says without the other
//! taking over, and its own times are the answer.

use super::{Span, Survey, Voice};

/// Kept on both sides of speech; twice this is the longest silence within a piece.
const PADDING: f64 = 0.5;
/// The longest piece of [`Grain::Long`].
const LONG: f64 = 120.0;
/// From this share of the longest on, a piece ends at the next silence that would be shortened.
const FULL: f64 = 0.75;
/// The longest piece of [`Grain::Turn`].
const TURN: f64 = 60.0;
/// The other voice takes over when it speaks this long, seconds. Less is a "mhm".
const TAKES_OVER: f64 = 0.6;
/// A voice that pauses longer begins a new turn.
const TURN_PAUSE: f64 = 1.5;

/// How finely to cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grain {
    /// Replies will have times.
    Long,
    /// Replies will have times and tell voices apart: as much as the limits allow.
    Whole,
    /// Replies will be text only.
    Turn,
}

/// What a request may hold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Seconds of audio.
    pub seconds: f64,
    /// Bytes of a WAV file of 16 bits.
    pub bytes: u64,
}

/// Part of one channel, to be sent as one file.
#[derive(Debug, Clone, PartialEq)]
pub struct Piece {
    /// The channel in the file.
    pub channel: usize,
    /// The stretches of the recording that it is made of, one after the other.
    pub stretches: Vec<Span>,
    /// Where somebody speaks, in the recording's time.
    pub speech: Vec<Span>,
}

impl Piece {
    /// Its length in seconds.
    pub fn seconds(&self) -> f64 {
        self.stretches.iter().map(|stretch| stretch.seconds()).sum()
    }

    /// From the first to the last word, in the recording's time.
    pub fn span(&self) -> Span {
        let start = self.speech.first().map_or(0.0, |span| span.start);
        Span { start, end: self.speech.last().map_or(start, |span| span.end) }
    }

    /// A span of the piece in the recording's time: one span for each stretch that it touches.
    pub fn locate(&self, span: Span) -> Vec<Span> {
        let mut at = 0.0;
        let mut found = Vec::new();
        for stretch in &self.stretches {
            let here = Span { start: at, end: at + stretch.seconds() };
            if here.overlap(span) > 0.0 {
                let start = stretch.start + (span.start - at).max(0.0);
                let end = stretch.end - (here.end - span.end).max(0.0);
                found.push(Span { start, end });
            }
            at = here.end;
        }
        found
    }

    /// The piece in two, at the silence nearest to its middle; `None` when it is too short for that.
    pub(super) fn halves(&self) -> Option<[Self; 2]> {
        let half = self.seconds() / 2.0;
        if half < 1.0 {
            return None;
        }
        let middle = self.locate(Span { start: half, end: half + 0.001 }).first()?.start;
        let gaps = self.speech.windows(2).map(|pair| (pair[0].end + pair[1].start) / 2.0);
        let from_middle = |at: &f64| (at - middle).abs();
        let best = gaps.min_by(|a, b| from_middle(a).total_cmp(&from_middle(b)));
        let at = best.filter(|at| from_middle(at) < half / 2.0).unwrap_or(middle);
        Some([self.within(f64::MIN, at), self.within(at, f64::MAX)])
    }

    fn within(&self, from: f64, to: f64) -> Self {
        let clip = |spans: &[Span]| {
            let clipped = spans.iter().map(|s| Span { start: s.start.max(from), end: s.end.min(to) });
            clipped.filter(|s| s.end > s.start).collect()
        };
        Self { channel: self.channel, stretches: clip(&self.stretches), speech: clip(&self.speech) }
    }
}

/// The pieces of all voices, each voice's in order.
pub fn cut(survey: &Survey, grain: Grain, limits: Limits) -> Vec<Piece> {
    let bytes = limits.bytes.saturating_sub(64) as f64 / (2.0 * f64::from(survey.rate.max(1)));
    let target = match grain {
        Grain::Long => LONG,
        Grain::Whole => limits.seconds,
        Grain::Turn => TURN,
    };
    let longest = target.min(limits.seconds).min(bytes).max(2.0 * PADDING + 1.0);
    let mut pieces = Vec::new();
    for voice in &survey.voices {
        let others = survey.voices.iter().filter(|other| other.channel != voice.channel);
        let others: Vec<Span> = others.flat_map(|other| other.speech.iter().copied()).collect();
        cut_voice(voice, &others, grain, longest, survey.duration_seconds, &mut pieces);
    }
    pieces
}

fn cut_voice(voice: &Voice, others: &[Span], grain: Grain, longest: f64, end: f64, pieces: &mut Vec<Piece>) {
    let spans = bounded(&voice.speech, longest - 2.0 * PADDING);
    let mut open: Option<Piece> = None;
    for (at, &span) in spans.iter().enumerate() {
        let before = at.checked_sub(1).map_or(span.start * 2.0, |i| span.start - spans[i].end);
        let after = spans.get(at + 1).map_or((end - span.end) * 2.0, |next| next.start - span.end);
        let stretch = Span {
            start: (span.start - PADDING.min(before / 2.0)).max(0.0),
            end: span.end + PADDING.min(after.max(0.0) / 2.0),
        };
        let breaks = open.as_ref().is_some_and(|piece| {
            let length = piece.seconds();
            let pause = Span { start: span.start - before, end: span.start };
            length + stretch.seconds() > longest
                || match grain {
                    Grain::Long | Grain::Whole => length > longest * FULL && before > 2.0 * PADDING,
                    Grain::Turn => is_turn_end(pause, others),
                }
        });
        if breaks {
            pieces.extend(open.take());
        }
        let empty = || Piece { channel: voice.channel, stretches: Vec::new(), speech: Vec::new() };
        let piece = open.get_or_insert_with(empty);
        piece.speech.push(span);
        match piece.stretches.last_mut() {
            Some(last) if stretch.start - last.end < 1e-6 => last.end = stretch.end,
            _ => piece.stretches.push(stretch),
        }
    }
    pieces.extend(open);
}

fn is_turn_end(pause: Span, others: &[Span]) -> bool {
    let other: f64 = others.iter().map(|other| other.overlap(pause)).sum();
    // With one voice for both sides, any pause may be a change of speaker.
    let longest = if others.is_empty() { 2.0 * PADDING } else { TURN_PAUSE };
    other >= TAKES_OVER || pause.seconds() > longest
}

/// The spans, none longer than `longest`: a voice (or music) without a pause is cut into equal parts.
fn bounded(spans: &[Span], longest: f64) -> Vec<Span> {
    let mut bounded = Vec::with_capacity(spans.len());
    for span in spans {
        let parts = (span.seconds() / longest).ceil().max(1.0);
        let length = span.seconds() / parts;
        bounded.extend((0..parts as usize).map(|i| {
            let start = span.start + length * i as f64;
            Span { start, end: start + length }
        }));
    }
    bounded
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests may panic")]
    use super::*;
    use crate::{audio::Waveform, domain::Layout};

    const NO_LIMIT: Limits = Limits { seconds: 1300.0, bytes: 24 << 20 };

    fn spans(spans: &[(f64, f64)]) -> Vec<Span> {
        spans.iter().map(|&(start, end)| Span { start, end }).collect()
    }

    fn heard(voices: &[&[(f64, f64)]], duration_seconds: f64) -> Survey {
        let voice = |(channel, speech): (usize, &&[(f64, f64)])| Voice { channel, speech: spans(speech) };
        let voices: Vec<_> = voices.iter().enumerate().map(voice).collect();
        let waveform = Waveform { duration_seconds, seconds_per_point: 1.0, channels: Vec::new() };
        let layout = if voices.len() == 2 { Layout::Separate } else { Layout::Mono };
        Survey { duration_seconds, rate: 8000, layout, voices, channels: Vec::new(), waveform }
    }

    #[test]
    fn long_silences_are_shortened_and_short_ones_kept() {
        let survey = heard(&[&[(2.0, 4.0), (4.8, 6.0), (30.0, 31.0)]], 31.2);
        let pieces = cut(&survey, Grain::Long, NO_LIMIT);
        assert_eq!(pieces.len(), 1);
        assert_eq!(pieces[0].stretches, spans(&[(1.5, 6.5), (29.5, 31.2)]));
    }

    #[test]
    fn times_in_a_reply_map_back_to_the_recording() {
        let piece = &cut(&heard(&[&[(2.0, 6.0), (30.0, 31.0)]], 40.0), Grain::Long, NO_LIMIT)[0];
        assert_eq!(piece.locate(Span { start: 0.5, end: 4.5 }), spans(&[(2.0, 6.0)]));
        assert_eq!(piece.locate(Span { start: 5.5, end: 6.5 }), spans(&[(30.0, 31.0)]));
        assert_eq!(piece.locate(Span { start: 4.0, end: 6.0 }), spans(&[(5.5, 6.5), (29.5, 30.5)]));
        assert_eq!(piece.locate(Span { start: 90.0, end: 91.0 }), []);
    }

    #[test]
    fn an_hour_of_talk_takes_about_one_request_per_minute_and_every_word_is_sent() {
        let caller: Vec<(f64, f64)> = (0..360).map(|i| (f64::from(i) * 10.0, f64::from(i) * 10.0 + 4.0)).collect();
        let agent: Vec<(f64, f64)> = caller.iter().map(|(start, _)| (start + 4.5, start + 9.0)).collect();
        let survey = heard(&[&caller, &agent], 3600.0);
        let pieces = cut(&survey, Grain::Long, NO_LIMIT);
        assert!((30..=60).contains(&pieces.len()), "{}", pieces.len());
        assert!(pieces.iter().all(|piece| piece.seconds() <= 120.0));
        let speech: f64 = pieces.iter().flat_map(|p| &p.speech).map(|s| s.seconds()).sum();
        assert!((speech - survey.speech_seconds()).abs() < 0.001);
    }

    #[test]
    fn limits_hold_even_where_nobody_draws_breath() {
        let survey = heard(&[&[(0.0, 1000.0)]], 1000.0);
        for limits in [NO_LIMIT, Limits { seconds: 30.0, ..NO_LIMIT }, Limits { bytes: 400_000, ..NO_LIMIT }] {
            let pieces = cut(&survey, Grain::Long, limits);
            assert!(
                pieces.iter().all(|p| p.seconds() <= limits.seconds && p.seconds() * 16000.0 < limits.bytes as f64)
            );
            assert!((pieces.iter().map(Piece::seconds).sum::<f64>() - 1000.0).abs() < 0.001);
        }
    }

    #[test]
    fn without_times_a_piece_ends_where_the_other_takes_over() {
        let agent: &[(f64, f64)] = &[(0.0, 3.0), (4.0, 6.0), (9.0, 10.0), (14.0, 15.0)];
        let caller: &[(f64, f64)] = &[(3.2, 3.6), (6.5, 8.5)];
        let pieces = cut(&heard(&[agent, caller], 20.0), Grain::Turn, NO_LIMIT);
        let times: Vec<_> = pieces.iter().map(|p| (p.channel, p.span().start, p.span().end)).collect();
        let expected = [(0, 0.0, 6.0), (0, 9.0, 10.0), (0, 14.0, 15.0), (1, 3.2, 3.6), (1, 6.5, 8.5)];
        assert_eq!(times, expected);
    }

    #[test]
    fn halves_meet_in_a_silence_near_the_middle() {
        let piece = &cut(&heard(&[&[(0.0, 10.0), (10.8, 18.0), (19.0, 30.0)]], 30.0), Grain::Long, NO_LIMIT)[0];
        let [first, second] = piece.halves().unwrap();
        assert_eq!((first.span().end, second.span().start), (18.0, 19.0));
        assert!((first.seconds() + second.seconds() - piece.seconds()).abs() < 1e-9);
        let [first, second] = cut(&heard(&[&[(0.0, 30.0)]], 30.0), Grain::Long, NO_LIMIT)[0].halves().unwrap();
        assert!((first.span().end - 15.0).abs() < 0.01 && (second.span().start - 15.0).abs() < 0.01);
    }
}
