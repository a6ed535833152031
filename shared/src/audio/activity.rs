//! Hears where somebody speaks, by loudness over the noise around it.
//!
//! It would rather take noise for speech than miss a word: what it lets through costs a little, what it drops is lost.

use super::{Span, echo::Levels};

/// Frames per second.
const FRAMES: u32 = 50;
/// The noise is what the quietest tenth of half a minute is like.
const NOISE_SECONDS: usize = 15;
/// Speech is louder than the noise by this many dB,
const ABOVE_NOISE: i32 = 8;
/// louder than this many dBFS however quiet the line is,
const QUIETEST: i32 = -55;
/// and everything louder than this counts however loud the noise.
const LOUDEST_NOISE: i32 = -25;
/// Of so many frames …
const ONSET: usize = 5;
/// … this many have to be loud for speech to begin; a click has fewer.
const ONSET_LOUD: usize = 3;
/// Quiet frames in a row that end it: 0.3 s, longer than the pauses within words.
const HANGOVER: usize = 15;

/// Listens to one channel. Keeps one byte for each 20 ms.
pub(super) struct Detector {
    rate: u32,
    frame: usize,
    filled: usize,
    energy: f64,
    last_in: f32,
    last_out: f32,
    /// dBFS, −100 to 0.
    levels: Vec<i8>,
}

impl Detector {
    pub(super) fn new(rate: u32) -> Self {
        let frame = (rate / FRAMES).max(1) as usize;
        Self { rate, frame, filled: 0, energy: 0.0, last_in: 0.0, last_out: 0.0, levels: Vec::new() }
    }

    /// Takes the next samples.
    pub(super) fn hear(&mut self, samples: &[f32]) {
        // A high-pass at about 80 Hz: hum and offset are no speech.
        let pass = 1.0 - 500.0 / self.rate as f32;
        for &sample in samples {
            self.last_out = sample - self.last_in + pass * self.last_out;
            self.last_in = sample;
            self.energy += f64::from(self.last_out * self.last_out);
            self.filled += 1;
            if self.filled == self.frame {
                let level = 10.0 * (self.energy / self.frame as f64).max(1e-10).log10();
                self.levels.push(level.clamp(-100.0, 0.0) as i8);
                (self.filled, self.energy) = (0, 0.0);
            }
        }
    }

    /// How loud it was so far.
    pub(super) fn levels(&self) -> Levels<'_> {
        Levels { frames: &self.levels, seconds: self.frame as f64 / f64::from(self.rate) }
    }

    /// Where somebody speaks, in order and apart from each other by [`HANGOVER`] at least.
    pub(super) fn speech(&self) -> Vec<Span> {
        let seconds = self.frame as f64 / f64::from(self.rate);
        let at = |frame: usize| frame as f64 * seconds;
        let spans = spans(&loud(&self.levels));
        spans.into_iter().map(|(first, end)| Span { start: at(first), end: at(end) }).collect()
    }
}

fn loud(levels: &[i8]) -> Vec<bool> {
    let second = FRAMES as usize;
    let mut histogram = [0_usize; 101];
    let slot = |level: &i8| usize::from(level.unsigned_abs()).min(100);
    let (mut added, mut removed) = (0, 0);
    let mut loud = Vec::with_capacity(levels.len());
    for (at, frames) in levels.chunks(second).enumerate() {
        let ahead = ((at + NOISE_SECONDS + 1) * second).min(levels.len());
        let behind = at.saturating_sub(NOISE_SECONDS) * second;
        levels[added..ahead].iter().for_each(|level| histogram[slot(level)] += 1);
        levels[removed..behind].iter().for_each(|level| histogram[slot(level)] -= 1);
        (added, removed) = (ahead, behind);
        let floor = quietest_tenth(&histogram, ahead - behind);
        let threshold = (floor + ABOVE_NOISE).clamp(QUIETEST, LOUDEST_NOISE);
        loud.extend(frames.iter().map(|level| i32::from(*level) >= threshold));
    }
    loud
}

/// The level that a tenth of the frames stays below.
fn quietest_tenth(histogram: &[usize; 101], frames: usize) -> i32 {
    let mut below = 0;
    for (slot, count) in histogram.iter().enumerate().rev() {
        below += count;
        if below * 10 > frames {
            return -i32::try_from(slot).unwrap_or(100);
        }
    }
    0
}

/// Frame numbers `[first, end)` of each span.
fn spans(loud: &[bool]) -> Vec<(usize, usize)> {
    let mut spans: Vec<(usize, usize)> = Vec::new();
    let mut open = false;
    for at in 0..loud.len() {
        if !loud[at] {
            open &= spans.last().is_some_and(|(_, end)| at - end < HANGOVER);
        } else if open && let Some((_, end)) = spans.last_mut() {
            *end = at + 1;
        } else {
            let from = (at + 1).saturating_sub(ONSET);
            let recent = &loud[from..=at];
            if recent.iter().filter(|l| **l).count() >= ONSET_LOUD {
                let first = from + recent.iter().position(|l| *l).unwrap_or(0);
                spans.push((first, at + 1));
                open = true;
            }
        }
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::{
        super::sounds::{RATE, babble, noise, silence},
        *,
    };

    fn heard(parts: &[Vec<f32>]) -> Vec<Span> {
        let mut detector = Detector::new(RATE);
        parts.concat().chunks(333).for_each(|block| detector.hear(block));
        detector.speech()
    }

    fn assert_spans(found: &[Span], expected: &[(f64, f64)]) {
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (found, (start, end)) in found.iter().zip(expected) {
            assert!((found.start - start).abs() < 0.1 && (found.end - end).abs() < 0.1, "{found:?}, not {start}-{end}");
        }
    }

    #[test]
    fn speech_is_found_where_it_is_whatever_the_line_sounds_like() {
        for floor in [0.0, 0.0005, 0.01] {
            let mut sound = [silence(1.0), babble(2.0, 0.3), silence(4.0), babble(1.0, 0.2), silence(2.0)].concat();
            sound.iter_mut().zip(noise(10.0, floor)).for_each(|(sample, noise)| *sample += noise);
            assert_spans(&heard(&[sound]), &[(1.0, 3.0), (7.0, 8.0)]);
        }
    }

    #[test]
    fn a_short_word_is_heard_and_a_click_is_not() {
        let click = vec![0.9; (RATE / 50) as usize];
        let spans = heard(&[silence(2.0), babble(0.2, 0.2), silence(2.0), click, silence(2.0)]);
        assert_spans(&spans, &[(2.0, 2.2)]);
    }

    #[test]
    fn quiet_speech_on_a_clean_line_is_heard() {
        assert_spans(&heard(&[silence(3.0), babble(2.0, 0.01), silence(3.0)]), &[(3.0, 5.0)]);
    }

    #[test]
    fn silence_hum_and_steady_noise_are_no_speech() {
        let hum = (0..RATE * 40).map(|i| 0.05 + 0.05 * (f64::from(i) * 0.0393).sin() as f32).collect();
        assert_spans(&heard(&[silence(40.0)]), &[]);
        assert_spans(&heard(&[noise(40.0, 0.03)]), &[]);
        assert!(heard(&[hum]).iter().map(|s| s.seconds()).sum::<f64>() < 0.5);
    }
}
