//! Lowers the sample rate by a whole factor. Speech models hear at 16 kHz; what is above only makes requests larger.

use std::f64::consts::PI;

/// What speech models work at.
const ENOUGH: u32 = 16_000;
/// Taps of the low-pass per unit of the factor.
const TAPS: u32 = 24;

/// The whole factor that brings `rate` closest to, but not below, what speech models work at; 1 leaves it alone, as all
/// telephony is.
pub(super) fn factor(rate: u32) -> u32 {
    (rate / ENOUGH).max(1)
}

/// Keeps every n-th sample of one channel, after a low-pass.
pub(super) struct Decimator {
    factor: usize,
    taps: Vec<f32>,
    /// Samples that later outputs still need, oldest first.
    held: Vec<f32>,
}

impl Decimator {
    pub(super) fn new(factor: u32) -> Self {
        let taps = if factor > 1 { low_pass(factor) } else { vec![1.0] };
        // Starts in the middle of the filter, so that the output is not late.
        let held = vec![0.0; taps.len() / 2];
        Self { factor: factor as usize, taps, held }
    }

    /// Appends to `out` what the samples so far allow.
    pub(super) fn push(&mut self, samples: &[f32], out: &mut Vec<f32>) {
        if self.factor == 1 {
            out.extend_from_slice(samples);
            return;
        }
        self.held.extend_from_slice(samples);
        let mut at = 0;
        while at + self.taps.len() <= self.held.len() {
            let window = &self.held[at..at + self.taps.len()];
            out.push(window.iter().zip(&self.taps).map(|(a, b)| a * b).sum());
            at += self.factor;
        }
        self.held.drain(..at);
    }
}

/// A sinc under a Hann window that passes nine tenths of the band that remains.
fn low_pass(factor: u32) -> Vec<f32> {
    let length = (TAPS * factor + 1) as usize;
    let cutoff = 0.9 / f64::from(factor);
    let middle = (length / 2) as f64;
    let tap = |i: usize| {
        let x = i as f64 - middle;
        let sinc = if x == 0.0 { cutoff } else { (PI * cutoff * x).sin() / (PI * x) };
        sinc * (0.5 + 0.5 * (PI * x / (middle + 1.0)).cos())
    };
    let sum: f64 = (0..length).map(tap).sum();
    (0..length).map(|i| (tap(i) / sum) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loudness_after(hz: f64, rate: u32) -> f32 {
        let mut decimator = Decimator::new(factor(rate));
        let tone: Vec<f32> = (0..rate).map(|i| (2.0 * PI * hz * f64::from(i) / f64::from(rate)).sin() as f32).collect();
        let mut out = Vec::new();
        for block in tone.chunks(1000) {
            decimator.push(block, &mut out);
        }
        assert!((out.len() as i64 - i64::from(rate / factor(rate))).abs() < 30, "{}", out.len());
        out[200..].iter().fold(0.0, |peak, sample| sample.abs().max(peak))
    }

    #[test]
    fn telephony_is_left_alone_and_studio_rates_are_lowered() {
        assert_eq!([8000, 16000, 24000, 44100, 48000, 96000].map(factor), [1, 1, 1, 2, 3, 6]);
    }

    #[test]
    fn speech_passes_and_what_would_fold_back_does_not() {
        assert!((loudness_after(1000.0, 48000) - 1.0).abs() < 0.02);
        assert!(loudness_after(11000.0, 48000) < 0.02);
    }
}
