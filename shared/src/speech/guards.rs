//! Takes out what models invent where nobody speaks, or when they are caught in a loop.

use super::reply::Segment;

/// Above this the model itself thinks that nobody speaks …
const NO_SPEECH: f64 = 0.6;
/// … and below this it is not sure of the words. Both together are Whisper's own rule for silence.
const UNSURE: f64 = -1.0;
/// The same words this often in a row are a loop.
const LOOP: usize = 4;

/// The segments that somebody said.
pub(super) fn said(segments: &[Segment]) -> Vec<&Segment> {
    let heard: Vec<&Segment> = segments.iter().filter(|s| !is_silence(s) && !is_remark(&s.text)).collect();
    let alike = |a: &&Segment, b: &&Segment| plain(&a.text) == plain(&b.text);
    let runs = heard.chunk_by(alike);
    runs.flat_map(|run| if run.len() >= LOOP { &run[..1] } else { run }).copied().collect()
}

/// Whether a text is a remark on the sound (`[BLANK_AUDIO]`, `(music)`, `♪`), or holds no word at all.
pub(super) fn is_remark(text: &str) -> bool {
    let text = text.trim();
    let enclosed = |open, close| text.starts_with(open) && text.ends_with(close) && text.matches(open).count() == 1;
    !text.chars().any(char::is_alphanumeric) || enclosed('[', ']') || enclosed('(', ')') || enclosed('♪', '♪')
}

fn is_silence(segment: &Segment) -> bool {
    segment.no_speech.is_some_and(|p| p > NO_SPEECH) && segment.logprob.is_some_and(|p| p < UNSURE)
}

fn plain(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(segments: &[(&str, f64, f64)]) -> Vec<String> {
        let segment = |&(text, no_speech, logprob): &(&str, f64, f64)| Segment {
            text: text.to_owned(),
            no_speech: Some(no_speech),
            logprob: Some(logprob),
            ..Segment::default()
        };
        let segments: Vec<_> = segments.iter().map(segment).collect();
        said(&segments).into_iter().map(|s| s.text.clone()).collect()
    }

    #[test]
    fn what_the_model_itself_doubts_is_dropped() {
        let heard = texts(&[("Hello.", 0.01, -0.2), ("Thanks for watching!", 0.9, -1.4), ("Bye.", 0.9, -0.2)]);
        assert_eq!(heard, ["Hello.", "Bye."]);
    }

    #[test]
    fn a_loop_is_told_from_somebody_who_says_it_twice() {
        let looped = ["Yes.", "Thank you.", "thank you", "Thank you.", "Thank you!", "No.", "No."];
        assert_eq!(texts(&looped.map(|text| (text, 0.0, 0.0))), ["Yes.", "Thank you.", "No.", "No."]);
    }

    #[test]
    fn remarks_on_the_sound_are_no_words() {
        let remarks = ["[BLANK_AUDIO]", "(upbeat music)", "♪ ♪", " … ", "", "[a] said (b)"];
        assert_eq!(texts(&remarks.map(|text| (text, 0.0, 0.0))), ["[a] said (b)"]);
    }
}
