//! Incoming audio as loudness over time. All that recognition needs, and what makes it blind to rate and gain.

use std::io::Cursor;

use hound::{SampleFormat, WavReader};

use super::opus;

/// Energy of a track, summed up millisecond by millisecond, so that any stretch costs one subtraction.
pub(super) struct Loudness {
    /// Sum of mean squares (1.0 is full scale) of the milliseconds before this one.
    sums: Vec<f64>,
}

/// A WAV that was read.
pub(super) struct Audio {
    pub(super) loudness: Loudness,
    /// Seconds.
    pub(super) duration: f64,
}

impl Audio {
    /// Reads a WAV of any rate and width, or Ogg with Opus; channels are averaged. None when it is neither.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        if bytes.starts_with(b"OggS") {
            return Some(Self::of(&opus::read(bytes)?, opus::RATE));
        }
        let mut reader = WavReader::new(Cursor::new(bytes)).ok()?;
        let spec = reader.spec();
        let samples: Vec<f32> = match spec.sample_format {
            SampleFormat::Float => reader.samples::<f32>().map_while(Result::ok).collect(),
            SampleFormat::Int => {
                let full = 2_f32.powi(i32::from(spec.bits_per_sample) - 1);
                #[expect(clippy::cast_precision_loss, reason = "24 bits are more than enough for loudness")]
                reader.samples::<i32>().map_while(Result::ok).map(|sample| sample as f32 / full).collect()
            }
        };
        let channels = usize::from(spec.channels.max(1));
        let mono: Vec<f32> =
            samples.chunks_exact(channels).map(|frame| frame.iter().sum::<f32>() / f32::from(spec.channels)).collect();
        Some(Self::of(&mono, spec.sample_rate))
    }

    fn of(mono: &[f32], rate: u32) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "a count of samples")]
        let duration = mono.len() as f64 / f64::from(rate);
        Self { loudness: Loudness::of(mono, rate), duration }
    }
}

impl Loudness {
    /// Of samples between -1 and 1.
    pub(super) fn of(samples: &[f32], rate: u32) -> Self {
        let rate = rate.max(1) as usize;
        let length = samples.len() * 1000 / rate;
        let mut sums = Vec::with_capacity(length + 1);
        let mut sum = 0.0;
        sums.push(sum);
        for at in 0..length {
            let (from, to) = (at * rate / 1000, ((at + 1) * rate / 1000).max(at * rate / 1000 + 1));
            let stretch = &samples[from..to.min(samples.len())];
            let energy: f64 = stretch.iter().map(|sample| f64::from(*sample).powi(2)).sum();
            sum += energy / (to - from) as f64;
            sums.push(sum);
        }
        Self { sums }
    }

    /// A part of the track, between two milliseconds.
    pub(super) fn part(&self, from: usize, to: usize) -> Self {
        Self { sums: self.sums[from..=to.min(self.length())].to_vec() }
    }

    /// Milliseconds.
    pub(super) fn length(&self) -> usize {
        self.sums.len() - 1
    }

    /// Root mean square between two milliseconds; outside of the track is silence.
    pub(super) fn between(&self, from: isize, to: isize) -> f64 {
        let sum = |at: isize| self.sums[at.clamp(0, self.length() as isize) as usize];
        ((sum(to) - sum(from)).max(0.0) / (to - from).max(1) as f64).sqrt()
    }

    /// Root mean square of so many frames of this many milliseconds, from a place on.
    pub(super) fn frames(&self, from: isize, frame: usize, count: usize) -> Vec<f64> {
        let edge = |at: usize| from + (at * frame) as isize;
        (0..count).map(|at| self.between(edge(at), edge(at + 1))).collect()
    }

    /// Of the loudest 20 ms.
    pub(super) fn peak(&self) -> f64 {
        self.frames(0, 20, self.length().div_ceil(20)).into_iter().fold(0.0, f64::max)
    }
}
