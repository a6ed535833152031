//! Tells a party's own words from the other's, which come back over the line much quieter and a little later.
//!
//! An echo would be paid for, and would stand in the transcript as said by the wrong party.

use super::Span;

/// How late an echo may be, seconds.
const LATEST: f64 = 0.4;
/// An echo is quieter than its origin by this many dB at least,
const BELOW_ORIGIN: i8 = 12;
/// and quieter by so many than those who speak into this end when the other is silent.
const BELOW_OWN: i8 = 8;
/// What is quieter still, by so many dB, is between words.
const BETWEEN_WORDS: i8 = 25;
/// A pause within words, seconds.
const PAUSE: f64 = 0.3;
/// The shortest word, seconds.
const SHORTEST: f64 = 0.06;

/// The loudness of a channel, frame by frame.
#[derive(Clone, Copy)]
pub(super) struct Levels<'a> {
    /// dBFS, −100 to 0.
    pub(super) frames: &'a [i8],
    /// Length of a frame.
    pub(super) seconds: f64,
}

/// The speech of a channel without what is an echo of the other. A span that holds none stays as it is.
pub(super) fn own_speech(speech: &[Span], own: Levels<'_>, other: Levels<'_>) -> Vec<Span> {
    let seconds = own.seconds;
    let frame = |at: f64| ((at / seconds).round() as usize).min(own.frames.len());
    let origin = loudest_lately(other.frames, (LATEST / seconds) as usize);
    let over = |at: usize| {
        origin.get(at).is_some_and(|origin| i16::from(*origin) - i16::from(own.frames[at]) >= i16::from(BELOW_ORIGIN))
    };
    let spoken = speech.iter().flat_map(|span| frame(span.start)..frame(span.end));
    let usual = median(spoken.filter(|at| !over(*at)).map(|at| own.frames[at]).collect());
    let is_echo = |at: usize| over(at) && usual.is_none_or(|usual| own.frames[at] <= usual - BELOW_OWN);
    let is_word = |at: &usize| !is_echo(*at) && usual.is_none_or(|usual| own.frames[*at] >= usual - BETWEEN_WORDS);
    let mut kept = Vec::new();
    for span in speech {
        let frames = frame(span.start)..frame(span.end);
        if !frames.clone().any(is_echo) {
            kept.push(*span);
            continue;
        }
        let words: Vec<usize> = frames.filter(is_word).collect();
        let pause = (PAUSE / seconds) as usize;
        for run in words.chunk_by(|a, b| b - a <= pause) {
            if run.len() as f64 * seconds >= SHORTEST {
                let at = |frame: usize| frame as f64 * seconds;
                kept.push(Span { start: at(run[0]), end: at(run[run.len() - 1] + 1) });
            }
        }
    }
    kept
}

/// For each frame the loudest of it and so many before.
fn loudest_lately(frames: &[i8], before: usize) -> Vec<i8> {
    (0..frames.len()).map(|at| frames[at.saturating_sub(before)..=at].iter().copied().max().unwrap_or(-100)).collect()
}

fn median(mut levels: Vec<i8>) -> Option<i8> {
    let middle = levels.len() / 2;
    (!levels.is_empty()).then(|| *levels.select_nth_unstable(middle).1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: f64 = 0.02;

    /// Frames of a channel at −90 dBFS, louder between these seconds.
    fn channel(loud: &[(f64, f64, i8)]) -> Vec<i8> {
        let mut frames = vec![-90; 1000];
        for &(from, to, level) in loud {
            frames[(from / FRAME) as usize..(to / FRAME) as usize].fill(level);
        }
        frames
    }

    fn own(speech: &[(f64, f64)], own: &[i8], other: &[i8]) -> Vec<(f64, f64)> {
        let levels = |frames| Levels { frames, seconds: FRAME };
        let speech: Vec<Span> = speech.iter().map(|&(start, end)| Span { start, end }).collect();
        let kept = own_speech(&speech, levels(own), levels(other));
        let hundredth = |seconds: f64| (seconds * 100.0).round() / 100.0;
        kept.into_iter().map(|span| (hundredth(span.start), hundredth(span.end))).collect()
    }

    #[test]
    fn the_others_words_that_come_back_are_not_ones_own() {
        let agent = channel(&[(1.0, 4.0, -20), (6.12, 9.12, -52)]);
        let caller = channel(&[(6.0, 9.0, -18)]);
        assert_eq!(own(&[(1.0, 4.0), (6.12, 9.12)], &agent, &caller), [(1.0, 4.0)]);
    }

    #[test]
    fn a_word_in_the_middle_of_an_echo_is_kept_without_it() {
        let agent = channel(&[(1.0, 4.0, -20), (6.12, 9.12, -52), (7.0, 7.5, -22)]);
        let caller = channel(&[(6.0, 9.0, -18)]);
        assert_eq!(own(&[(1.0, 4.0), (6.12, 9.12)], &agent, &caller), [(1.0, 4.0), (7.0, 7.5)]);
    }

    #[test]
    fn a_quiet_speaker_is_not_taken_for_an_echo() {
        let quiet = channel(&[(1.0, 4.0, -45), (6.0, 9.0, -44)]);
        let loud = channel(&[(5.0, 12.0, -15)]);
        assert_eq!(own(&[(1.0, 4.0), (6.0, 9.0)], &quiet, &loud), [(1.0, 4.0), (6.0, 9.0)]);
    }

    #[test]
    fn a_line_on_which_nobody_speaks_has_no_speech() {
        let caller = channel(&[(1.0, 9.0, -18)]);
        let agent = channel(&[(1.1, 9.1, -50)]);
        assert_eq!(own(&[(1.1, 9.1)], &agent, &caller), []);
    }
}
