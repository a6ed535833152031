//! Takes out what models invent where nobody speaks, or when they are caught in a loop.
//!
//! That nobody's silence becomes words begins earlier: a stretch without speech is never sent.

use super::reply::{Reply, Segment};
use crate::audio::Piece;

/// Above this the model itself thinks that nobody speaks …
const NO_SPEECH: f64 = 0.6;
/// … and below this it is not sure of the words. Both together are Whisper's own rule for silence.
const UNSURE: f64 = -1.0;
/// A text that can be compressed more than this is a loop to Whisper.
const COMPRESSED: f64 = 2.4;
/// The same words this often in a row are a loop …
const LOOP: usize = 4;
/// … or this often where it is a single word: people do say "no, no, no, no".
const LOOP_OF_ONE: usize = 8;
/// Numbers that are read out repeat themselves: so many words in digits are no loop.
const DICTATED: usize = 20;
/// The longest loop that is looked for, in words.
const LONGEST_LOOP: usize = 12;
/// Nobody says more letters per second, …
const LETTERS_PER_SECOND: f64 = 35.0;
/// … beside what the detector may have missed of a short word. Only of stretches so short can it be told.
const SPARE_LETTERS: f64 = 20.0;
const SHORT: f64 = 3.0;
/// What Whisper learned from the ends of films. Whole segments of at most [`CREDIT_LETTERS`] that hold one of these.
const CREDITS: [&str; 10] = [
    "amara.org",
    "subtitles by",
    "subtitled by",
    "sottotitoli creati",
    "sottotitoli e revisione",
    "untertitel im auftrag",
    "untertitelung",
    "sous-titrage",
    "subtítulos realizados",
    "legendas pela",
];
const CREDIT_LETTERS: usize = 80;
/// People say these too, of a demo: a segment has to be nothing else.
const FAREWELLS: [&str; 4] =
    ["thanksforwatching", "thankyouforwatching", "thankyousomuchforwatching", "grazieperlavisione"];

/// What somebody said in the piece. A reply without times is one segment as long as the piece.
pub(super) fn said(piece: &Piece, reply: &Reply) -> Vec<Segment> {
    let whole = || vec![Segment { end: piece.seconds(), text: reply.text.clone(), ..Segment::default() }];
    let segments = if reply.timed() { reply.segments.clone() } else { whole() };
    let real = segments.into_iter().filter(|s| !is_doubted(s) && !is_remark(&s.text) && !is_credit(&s.text));
    let real: Vec<Segment> = real.map(without_loops).collect();
    let texts: Vec<String> = real.iter().map(|segment| plain(&segment.text)).collect();
    let one_word = |at: usize| real[at].text.split_whitespace().nth(1).is_none();
    let kept = unlooped(&texts, one_word);
    let letters: usize = kept.iter().map(|at| real[*at].text.chars().count()).sum();
    let spoken: f64 = piece.speech.iter().map(|span| span.seconds()).sum();
    if spoken < SHORT && letters as f64 > SPARE_LETTERS + LETTERS_PER_SECOND * spoken {
        return Vec::new();
    }
    kept.into_iter().map(|at| real[at].clone()).collect()
}

/// Remarks on the sound (`[BLANK_AUDIO]`, `(music)`, `♪ … ♪`) and no word beside them.
fn is_remark(text: &str) -> bool {
    let (mut closes, mut says) = (None, false);
    for c in text.chars() {
        match closes {
            Some(close) => closes = (c != close).then_some(close),
            None => {
                let opens = [('[', ']'), ('(', ')'), ('♪', '♪'), ('*', '*')].into_iter().find(|(open, _)| *open == c);
                closes = opens.map(|(_, close)| close);
                says |= c.is_alphanumeric();
            }
        }
    }
    !text.chars().any(char::is_alphanumeric) || (!says && closes.is_none())
}

fn is_credit(text: &str) -> bool {
    let lower = text.to_lowercase();
    let credit = || CREDITS.iter().any(|credit| lower.contains(credit)) || FAREWELLS.contains(&plain(text).as_str());
    lower.chars().count() <= CREDIT_LETTERS && credit()
}

fn is_doubted(segment: &Segment) -> bool {
    let unsure = segment.logprob.is_some_and(|p| p < UNSURE);
    unsure && (segment.no_speech.is_some_and(|p| p > NO_SPEECH) || segment.compression.is_some_and(|c| c > COMPRESSED))
}

/// The segment with each loop of words said once.
fn without_loops(mut segment: Segment) -> Segment {
    let words: Vec<&str> = segment.text.split_whitespace().collect();
    let plain: Vec<String> = words.iter().map(|word| plain(word)).collect();
    let kept = unlooped(&plain, |_| true);
    if kept.len() == words.len() {
        return segment;
    }
    if segment.words.len() == words.len() {
        segment.words = kept.iter().map(|at| segment.words[*at]).collect();
    }
    segment.text = kept.iter().map(|at| words[*at]).collect::<Vec<_>>().join(" ");
    segment
}

/// The places of what is no repetition. `one_word` says whether what is at a place is a single word.
fn unlooped(items: &[String], one_word: impl Fn(usize) -> bool) -> Vec<usize> {
    let is_number = |item: &String| !item.is_empty() && item.bytes().all(|byte| byte.is_ascii_digit());
    // From how many rounds on it is a loop. A dash between two words is none of its own.
    let most = |at: usize, period: usize| {
        let mut round = items[at..at + period].iter().filter(|item| !item.is_empty());
        match round.clone().count() {
            _ if round.all(is_number) => DICTATED / period + 1,
            0 | 1 if one_word(at) => LOOP_OF_ONE,
            _ => LOOP,
        }
    };
    let mut kept = Vec::with_capacity(items.len());
    let mut at = 0;
    while at < items.len() {
        let rounds = |period: usize| {
            let again = items[at..].windows(period + 1).take_while(|window| window[0] == window[period]).count();
            again / period + 1
        };
        let longest = LONGEST_LOOP.min((items.len() - at) / LOOP);
        let found = (1..=longest).find(|&period| rounds(period) >= most(at, period));
        let (period, skip) = found.map_or((1, 1), |period| (period, period * rounds(period)));
        kept.extend(at..at + period);
        at += skip;
    }
    kept
}

fn plain(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::Span;

    fn piece(seconds: f64) -> Piece {
        let span = Span { start: 0.0, end: seconds };
        Piece { channel: 0, stretches: vec![span], speech: vec![span] }
    }

    fn texts(segments: &[(&str, f64, f64)]) -> Vec<String> {
        let segment = |&(text, no_speech, logprob): &(&str, f64, f64)| Segment {
            text: text.to_owned(),
            no_speech: Some(no_speech),
            logprob: Some(logprob),
            compression: Some(if text.contains("loop") { 2.9 } else { 1.2 }),
            ..Segment::default()
        };
        let reply = Reply { text: "…".into(), segments: segments.iter().map(segment).collect(), ..Reply::default() };
        said(&piece(60.0), &reply).into_iter().map(|s| s.text).collect()
    }

    fn text_alone(text: &str, seconds: f64) -> Vec<String> {
        let reply = Reply { text: text.to_owned(), ..Reply::default() };
        said(&piece(seconds), &reply).into_iter().map(|s| s.text).collect()
    }

    #[test]
    fn what_the_model_itself_doubts_is_dropped() {
        let heard = texts(&[
            ("Hello.", 0.01, -0.2),
            ("You, you.", 0.9, -1.4),
            ("A loop, a loop.", 0.1, -1.4),
            ("Bye.", 0.9, -0.2),
        ]);
        assert_eq!(heard, ["Hello.", "Bye."]);
    }

    #[test]
    fn a_loop_of_segments_is_told_from_somebody_who_says_it_again() {
        let looped = ["Yes.", "Thank you.", "thank you", "Thank you.", "Thank you!", "No.", "No.", "No.", "No."];
        assert_eq!(texts(&looped.map(|text| (text, 0.0, 0.0))), ["Yes.", "Thank you.", "No.", "No.", "No.", "No."]);
        let round = ["One moment.", "I see."].repeat(4);
        let round: Vec<_> = round.into_iter().chain(["Right."]).map(|text| (text, 0.0, 0.0)).collect();
        assert_eq!(texts(&round), ["One moment.", "I see.", "Right."]);
    }

    #[test]
    fn a_loop_of_words_is_said_once_with_or_without_times() {
        let looped = format!("So {} then we go.", "I will call, ".repeat(20).trim());
        assert_eq!(text_alone(&looped, 30.0), ["So I will call, then we go."]);
        let segment = Segment {
            text: "no no no no no no no no really".into(),
            words: (0..9).map(|i| (f64::from(i), f64::from(i) + 0.5)).collect(),
            ..Segment::default()
        };
        let once = without_loops(segment);
        assert_eq!((once.text.as_str(), once.words), ("no really", vec![(0.0, 0.5), (8.0, 8.5)]));
        assert_eq!(text_alone("No, no, no, no, I mean it.", 3.0), ["No, no, no, no, I mean it."]);
    }

    #[test]
    fn what_is_read_out_or_said_with_dashes_between_is_no_loop() {
        for said in [
            "It is 1 2 1 2 1 2 1 2, and then 0 0 0 0 0 0 0 0 5.",
            "No - no - no - no, I mean it.",
            "0. 0. 0. 0. 0. 0. 0. 0. 0. 0.",
        ] {
            assert_eq!(text_alone(said, 30.0), [said]);
        }
        assert_eq!(text_alone(&format!("So {}then.", "1 2 ".repeat(11)), 30.0), ["So 1 2 then."]);
        assert_eq!(text_alone(&format!("So {}then.", "no - ".repeat(8)), 30.0), ["So no - then."]);
    }

    #[test]
    fn remarks_on_the_sound_and_credits_of_films_are_no_words() {
        let remarks =
            ["[BLANK_AUDIO]", "(upbeat music)", "♪ ♪", " … ", "", "[a] said (b)", "[NOISE] [NOISE]", "*sighs*"];
        assert_eq!(texts(&remarks.map(|text| (text, 0.0, 0.0))), ["[a] said (b)"]);
        assert_eq!(text_alone("♪ La la ♪ (applause)", 30.0), [""; 0]);
        assert_eq!(text_alone("Thanks for watching the demo with me.", 5.0).len(), 1);
        assert!(text_alone("Sottotitoli creati dalla comunità Amara.org", 5.0).is_empty());
        assert!(text_alone("Thanks for watching!", 5.0).is_empty());
    }

    #[test]
    fn more_words_than_anybody_says_in_the_time_are_invented() {
        assert!(text_alone("Please subscribe to my channel and see you in the next one.", 0.5).is_empty());
        assert_eq!(text_alone("Yes, of course, madam.", 0.5).len(), 1);
        assert_eq!(text_alone("Certainly, I will send it to you this afternoon.", 2.0).len(), 1);
    }
}
