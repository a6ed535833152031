//! A telephone line: 300 to 3400 Hz, 8000 samples per second, the 8 bits of µ-law.

use std::f64::consts::PI;

/// Samples per second.
pub(crate) const RATE: u32 = 8000;
const BAND: [f64; 2] = [300.0, 3400.0];
const TAPS: usize = 129;
const MU: f64 = 255.0;

/// What of a voice goes through the line, at [`RATE`]. Speech is made about as loud as it is there, −20 dBFS.
pub(crate) fn through(samples: &[f32], rate: u32) -> Vec<f32> {
    let step = (rate / RATE).max(1) as usize;
    let taps = band_pass(f64::from(rate));
    let at = |i: usize| -> f64 {
        let tap = |(k, tap): (usize, &f64)| {
            let sample = (i + k).checked_sub(TAPS / 2).and_then(|at| samples.get(at));
            sample.map_or(0.0, |sample| f64::from(*sample) * tap)
        };
        taps.iter().enumerate().map(tap).sum()
    };
    let heard: Vec<f64> = (0..samples.len()).step_by(step).map(at).collect();
    let power = heard.iter().map(|s| s * s).sum::<f64>() / heard.len().max(1) as f64;
    let gain = 0.1 / power.sqrt().max(1e-6);
    heard.into_iter().map(|sample| (sample * gain).clamp(-1.0, 1.0) as f32).collect()
}

/// What the codec leaves of a sample.
pub(crate) fn coded(sample: f32) -> f32 {
    let sample = f64::from(sample.clamp(-1.0, 1.0));
    let compressed = (1.0 + MU * sample.abs()).ln() / (1.0 + MU).ln();
    let step = (compressed * 127.0).round() / 127.0;
    (((1.0 + MU).powf(step) - 1.0) / MU * sample.signum()) as f32
}

/// Noise of this loudness, the same every time.
pub(crate) struct Noise {
    state: u64,
    peak: f32,
}

impl Noise {
    /// Loudness in dBFS; without one it is silent.
    pub(crate) fn new(loudness: Option<f64>, seed: u64) -> Self {
        // White noise between −p and p has an RMS of p/√3.
        let peak = loudness.map_or(0.0, |db| 10_f64.powf(db / 20.0) * 3_f64.sqrt());
        Self { state: 0x9e37_79b9_7f4a_7c15 ^ (seed + 1), peak: peak as f32 }
    }

    pub(crate) fn next(&mut self) -> f32 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        ((self.state >> 40) as f32 / (1 << 23) as f32 - 1.0) * self.peak
    }
}

fn band_pass(rate: f64) -> Vec<f64> {
    let low_pass =
        |hz: f64, x: f64| if x == 0.0 { 2.0 * hz / rate } else { (2.0 * PI * hz / rate * x).sin() / (PI * x) };
    let middle = (TAPS / 2) as f64;
    let tap = |i: usize| {
        let x = i as f64 - middle;
        (low_pass(BAND[1], x) - low_pass(BAND[0], x)) * (0.5 + 0.5 * (PI * x / (middle + 1.0)).cos())
    };
    (0..TAPS).map(tap).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loudness_after(hz: f64, with: f64) -> f64 {
        let wave = |hz: f64, i: u32| (2.0 * PI * hz * f64::from(i) / 16000.0).sin();
        let mix: Vec<f32> = (0..16000).map(|i| (0.3 * wave(hz, i) + 0.3 * wave(with, i)) as f32).collect();
        let heard = through(&mix, 16000);
        let part = |turn: f64| -> f64 {
            let sum = |(i, s): (usize, &f32)| f64::from(*s) * (2.0 * PI * hz * i as f64 / f64::from(RATE) + turn).sin();
            heard.iter().enumerate().map(sum).sum()
        };
        part(0.0).hypot(part(PI / 2.0)) / heard.len() as f64
    }

    #[test]
    fn a_line_carries_speech_and_nothing_below_or_above() {
        assert!(loudness_after(1000.0, 2000.0) > 0.04);
        assert!(loudness_after(100.0, 1000.0) < 0.006 && loudness_after(3900.0, 1000.0) < 0.006);
    }

    #[test]
    fn the_codec_keeps_a_sample_within_a_few_percent() {
        for sample in [0.5_f32, -0.1, 0.02, -0.004] {
            assert!((coded(sample) - sample).abs() < sample.abs() * 0.05 + 0.0002, "{sample}");
        }
        let mut noise = Noise::new(Some(-40.0), 1);
        let power: f64 = (0..8000).map(|_| f64::from(noise.next()).powi(2)).sum::<f64>() / 8000.0;
        assert!((10.0 * power.log10() + 40.0).abs() < 0.5);
    }
}
