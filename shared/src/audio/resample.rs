//! Any sample rate to the one that the speech detector hears at.

use std::f64::consts::PI;

/// What the detector wants.
pub(super) const RATE: u32 = 16_000;
/// Input samples that an output is made of.
const TAPS: usize = 16;
/// Positions between two input samples that are told apart. Telephony's 8 kHz needs two of them.
const PHASES: usize = 32;

/// Resamples one channel.
pub(super) struct Resampler {
    /// Input samples per output sample.
    step: f64,
    /// Where the next output lies, in input samples from the first that is held.
    at: f64,
    held: Vec<f32>,
    phases: Vec<[f32; TAPS]>,
}

impl Resampler {
    pub(super) fn new(rate: u32) -> Self {
        let step = f64::from(rate.max(1)) / f64::from(RATE);
        let phases = (0..PHASES).map(|phase| taps(phase as f64 / PHASES as f64, (1.0 / step).min(1.0))).collect();
        // Starts in the middle of the filter, so that the output is not late.
        Self { step, at: 0.0, held: vec![0.0; TAPS / 2 - 1], phases }
    }

    /// Appends to `out` what the samples so far allow.
    pub(super) fn push(&mut self, samples: &[f32], out: &mut Vec<f32>) {
        if (self.step - 1.0).abs() < f64::EPSILON {
            out.extend_from_slice(samples);
            return;
        }
        self.held.extend_from_slice(samples);
        loop {
            // Rounded by cutting off, which costs no call.
            let nearest = (self.at * PHASES as f64 + 0.5) as usize;
            let (first, phase) = (nearest / PHASES, nearest % PHASES);
            let Some(window) = self.held.get(first..).and_then(|held| held.first_chunk::<TAPS>()) else { break };
            out.push(window.iter().zip(&self.phases[phase]).map(|(sample, tap)| sample * tap).sum());
            self.at += self.step;
        }
        let done = (self.at as usize).min(self.held.len());
        self.held.drain(..done);
        self.at -= done as f64;
    }
}

/// A sinc under a Hann window, `offset` of a sample to the right of the middle.
fn taps(offset: f64, cutoff: f64) -> [f32; TAPS] {
    let tap = |i: usize| {
        let x = i as f64 - (TAPS / 2 - 1) as f64 - offset;
        let sinc = if x.abs() < 1e-9 { cutoff } else { (PI * cutoff * x).sin() / (PI * x) };
        sinc * (0.5 + 0.5 * (PI * x / (TAPS / 2 + 1) as f64).cos())
    };
    let sum: f64 = (0..TAPS).map(tap).sum();
    std::array::from_fn(|i| (tap(i) / sum) as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_keeps_its_pitch_and_loudness_at_every_rate() {
        for rate in [8000, 11_025, 16_000, 22_050, 24_000] {
            let tone = |hz: f64, rate: u32, i: usize| (2.0 * PI * hz * i as f64 / f64::from(rate)).sin() as f32;
            let sound: Vec<f32> = (0..rate as usize).map(|i| tone(1000.0, rate, i)).collect();
            let (mut resampler, mut out) = (Resampler::new(rate), Vec::new());
            sound.chunks(333).for_each(|block| resampler.push(block, &mut out));
            assert!((out.len() as i64 - i64::from(RATE)).abs() < 40, "{rate}: {}", out.len());
            for (i, sample) in out.iter().enumerate().take(15_900).skip(100) {
                assert!((sample - tone(1000.0, RATE, i)).abs() < 0.08, "{rate}: {i}");
            }
        }
    }
}
