//! Hears where somebody speaks.
//!
//! Three things have to come together: a small neural network (earshot) finds the sound like a voice, it stands out from
//! the noise around it, and it is not steady, as no voice is for long. The network alone takes ring-back tones for voices
//! and is undecided about steady noise; loudness alone takes every noise for a voice. `docs/audio.md` has the figures.
//!
//! It would rather take noise for speech than miss a word: what it lets through costs a little, what it drops is lost.

use std::ops::Range;

use super::{
    Span,
    echo::Levels,
    resample::{RATE, Resampler},
};

/// Samples of a frame, 16 ms; the network wants just so many.
const FRAME: usize = 256;
/// Frames that a loudness of noise holds for, about a second.
const SECOND: usize = 62;
/// The noise is what the quietest tenth of half a minute is like.
const NOISE_SECONDS: usize = 15;
/// A voice is louder than the noise by this many dB,
const ABOVE_NOISE: i32 = 6;
/// louder than this many dBFS however quiet the line is,
const QUIETEST: i8 = -65;
/// and everything louder than this stands out however loud the noise.
const LOUDEST_NOISE: i32 = -10;
/// From this on, of 255, the network finds it like a voice. It means 0.35.
const LIKELY: u8 = 89;
/// A sound that keeps within so many dB …
const STEADY: f32 = 1.5;
/// … for so many frames (0.4 s) is a tone or a noise.
const STEADY_FRAMES: usize = 25;
/// Frames over which its loudness is taken (80 ms): two tones at once beat up to forty times a second.
const BEAT: usize = 5;
/// Of so many frames …
const ONSET: usize = 6;
/// … this many have to be speech for a span to begin; a click has fewer.
const ONSET_VOICED: usize = 4;
/// Frames without speech in a row that end a span: 0.3 s, longer than the pauses within words.
const HANGOVER: usize = 19;
/// The network is not asked about silence, but for so many frames after a sound.
const FADING: usize = 16;

/// What was heard on a channel.
pub(super) struct Activity {
    /// Where somebody speaks, in order and apart from each other by [`HANGOVER`] at least.
    pub(super) speech: Vec<Span>,
    /// How loud that is on average, dBFS; `None` without speech.
    pub(super) level: Option<f64>,
    frames: Vec<i8>,
}

impl Activity {
    /// How loud it was all along.
    pub(super) fn levels(&self) -> Levels<'_> {
        Levels { frames: &self.frames, seconds: FRAME as f64 / f64::from(RATE) }
    }
}

/// Listens to one channel. Keeps two bytes for each 16 ms.
pub(super) struct Detector {
    resampler: Resampler,
    network: Box<earshot::Detector>,
    pending: Vec<f32>,
    last_in: f32,
    last_out: f32,
    silent: usize,
    /// dBFS, −100 to 0.
    levels: Vec<i8>,
    /// How much each frame is like a voice.
    scores: Vec<u8>,
}

impl Detector {
    pub(super) fn new(rate: u32) -> Self {
        Self {
            resampler: Resampler::new(rate),
            network: earshot::Detector::default_boxed(),
            pending: Vec::new(),
            last_in: 0.0,
            last_out: 0.0,
            silent: 0,
            levels: Vec::new(),
            scores: Vec::new(),
        }
    }

    /// Takes the next samples.
    pub(super) fn hear(&mut self, samples: &[f32]) {
        let mut pending = std::mem::take(&mut self.pending);
        let before = pending.len();
        self.resampler.push(samples, &mut pending);
        // Between two loud samples the resampled one may be louder, which the network does not take.
        pending[before..].iter_mut().for_each(|sample| *sample = sample.clamp(-1.0, 1.0));
        let frames = pending.chunks_exact(FRAME);
        let rest = frames.remainder().len();
        frames.for_each(|frame| self.frame(frame));
        pending.drain(..pending.len() - rest);
        self.pending = pending;
    }

    fn frame(&mut self, frame: &[f32]) {
        // A high-pass at about 80 Hz: hum and offset are no speech.
        const PASS: f32 = 1.0 - 500.0 / RATE as f32;
        let mut energy = 0.0;
        for &sample in frame {
            self.last_out = sample - self.last_in + PASS * self.last_out;
            self.last_in = sample;
            energy += self.last_out * self.last_out;
        }
        let level = (10.0 * (energy / FRAME as f32).max(1e-10).log10()).clamp(-100.0, 0.0) as i8;
        self.silent = if level < QUIETEST { self.silent + 1 } else { 0 };
        let score = if self.silent > FADING { 0.0 } else { self.network.predict_f32(frame) };
        self.levels.push(level);
        self.scores.push((score.clamp(0.0, 1.0) * 255.0) as u8);
    }

    /// What was heard.
    pub(super) fn finish(self) -> Activity {
        let voiced = voiced(&self.levels, &self.scores);
        let spans = spans(&voiced);
        let spoken = spans.iter().flat_map(|span| &self.levels[span.clone()]);
        let (energy, frames) = spoken
            .fold((0.0, 0), |(energy, frames), level| (energy + 10_f64.powf(f64::from(*level) / 10.0), frames + 1));
        let level = (frames > 0).then(|| 10.0 * (energy / f64::from(frames)).log10());
        let at = |frame: usize| (frame * FRAME) as f64 / f64::from(RATE);
        let speech = spans.into_iter().map(|span| Span { start: at(span.start), end: at(span.end) });
        Activity { speech: speech.collect(), level, frames: self.levels }
    }
}

fn voiced(levels: &[i8], scores: &[u8]) -> Vec<bool> {
    let mut voiced = standing_out(levels);
    for (voiced, score) in voiced.iter_mut().zip(scores) {
        *voiced &= *score >= LIKELY;
    }
    silence_steady(levels, &mut voiced);
    voiced
}

/// Frames that are louder than the noise around them.
fn standing_out(levels: &[i8]) -> Vec<bool> {
    let mut histogram = [0_usize; 101];
    let slot = |level: &i8| usize::from(level.unsigned_abs()).min(100);
    let (mut added, mut removed) = (0, 0);
    let mut loud = Vec::with_capacity(levels.len());
    for (at, frames) in levels.chunks(SECOND).enumerate() {
        let ahead = ((at + NOISE_SECONDS + 1) * SECOND).min(levels.len());
        let behind = at.saturating_sub(NOISE_SECONDS) * SECOND;
        levels[added..ahead].iter().for_each(|level| histogram[slot(level)] += 1);
        levels[removed..behind].iter().for_each(|level| histogram[slot(level)] -= 1);
        (added, removed) = (ahead, behind);
        let floor = quietest_tenth(&histogram, ahead - behind);
        let threshold = (floor + ABOVE_NOISE).clamp(i32::from(QUIETEST), LOUDEST_NOISE);
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

/// Takes out every stretch of [`STEADY_FRAMES`] that keeps its loudness.
fn silence_steady(levels: &[i8], voiced: &mut [bool]) {
    let power = |level: &i8| 10_f32.powf(f32::from(*level) / 10.0);
    let loudness = |frames: &[i8]| 10.0 * frames.iter().map(power).sum::<f32>().log10();
    let smooth: Vec<f32> = levels.windows(BEAT).map(loudness).collect();
    let mut done = 0;
    for (at, window) in smooth.windows(STEADY_FRAMES - BEAT + 1).enumerate() {
        let extremes = |(low, high): (f32, f32), level: &f32| (low.min(*level), high.max(*level));
        let (low, high) = window.iter().fold((f32::MAX, f32::MIN), extremes);
        if high - low <= STEADY {
            voiced[at.max(done)..at + STEADY_FRAMES].fill(false);
            done = at + STEADY_FRAMES;
        }
    }
}

fn spans(voiced: &[bool]) -> Vec<Range<usize>> {
    let mut spans: Vec<Range<usize>> = Vec::new();
    let mut open = false;
    for at in 0..voiced.len() {
        if !voiced[at] {
            open &= spans.last().is_some_and(|span| at - span.end < HANGOVER);
        } else if open && let Some(span) = spans.last_mut() {
            span.end = at + 1;
        } else {
            let from = (at + 1).saturating_sub(ONSET);
            let recent = &voiced[from..=at];
            if recent.iter().filter(|v| **v).count() >= ONSET_VOICED {
                let first = from + recent.iter().position(|v| *v).unwrap_or(0);
                spans.push(first..at + 1);
                open = true;
            }
        }
    }
    spans
}

#[cfg(test)]
mod tests;
