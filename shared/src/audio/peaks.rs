//! The waveform of a recording, for players: how loud each moment is, in at most [`MOST`] points per channel.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Points per channel; more than a screen is wide.
pub const MOST: usize = 2000;

/// A waveform. Kept beside its recording as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Waveform {
    /// Length of the recording in seconds.
    pub duration_seconds: f64,
    /// Seconds that a point stands for.
    pub seconds_per_point: f64,
    /// For each channel the loudest sample of each point, 0 to 255 of full scale.
    pub channels: Vec<Vec<u8>>,
}

impl Waveform {
    /// The key in the object store, beside the recording's own.
    pub fn key(recording: &str) -> String {
        format!("{recording}.waveform.json")
    }
}

/// Gathers the points of one channel. Their number is kept down by joining neighbours, so that the length need not be
/// known beforehand.
pub(super) struct Peaks {
    /// Samples that a point stands for.
    samples: usize,
    filled: usize,
    loudest: f32,
    points: Vec<u8>,
}

impl Peaks {
    /// Begins with points of 10 ms.
    pub(super) fn new(rate: u32) -> Self {
        Self { samples: (rate / 100).max(1) as usize, filled: 0, loudest: 0.0, points: Vec::with_capacity(MOST + 1) }
    }

    /// Takes the next samples.
    pub(super) fn hear(&mut self, mut samples: &[f32]) {
        while !samples.is_empty() {
            let (now, later) = samples.split_at(samples.len().min(self.samples - self.filled));
            self.loudest = now.iter().fold(self.loudest, |loudest, sample| loudest.max(sample.abs()));
            self.filled += now.len();
            samples = later;
            if self.filled == self.samples {
                self.close();
            }
        }
    }

    fn close(&mut self) {
        self.points.push((self.loudest.min(1.0) * 255.0).round() as u8);
        (self.filled, self.loudest) = (0, 0.0);
        if self.points.len() == MOST {
            self.points = self.points.chunks(2).map(|pair| pair.iter().copied().fold(0, u8::max)).collect();
            self.samples *= 2;
        }
    }

    /// Samples per point, and the points.
    pub(super) fn finish(mut self) -> (usize, Vec<u8>) {
        if self.filled > 0 {
            self.points.push((self.loudest.min(1.0) * 255.0).round() as u8);
        }
        (self.samples, self.points)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_waveform_stays_small_and_keeps_every_peak_in_its_place() {
        for seconds in [0.005, 1.0, 19.99, 20.0, 3600.0] {
            let mut peaks = Peaks::new(8000);
            let total = (seconds * 8000.0) as usize;
            let spike = total / 3;
            let sound: Vec<f32> = (0..total).map(|i| if i == spike { -0.5 } else { 0.01 }).collect();
            sound.chunks(1234).for_each(|block| peaks.hear(block));
            let (samples, points) = peaks.finish();
            assert!(points.len() <= MOST && points.len() * samples >= total, "{seconds}: {}", points.len());
            assert!(seconds < 20.0 || points.len() >= MOST / 2, "{seconds}: {}", points.len());
            assert_eq!((points[spike / samples], points.iter().filter(|p| **p > 100).count()), (128, 1), "{seconds}");
        }
    }
}
