//! Which stretch of which sample call a piece of audio is: its loudness over time, laid along every track.

use std::sync::LazyLock;

use super::audio::Loudness;
use crate::samples::{self, Sample};

/// Correlation of the loudness below which a piece counts as unknown. A resampled piece of a sample reaches 0.98.
const ALIKE: f64 = 0.85;

/// Places that are looked at closely after the coarse pass.
const CANDIDATES: usize = 24;

/// Where a piece comes from.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) sample: &'static Sample,
    /// The one channel that is heard, or both mixed.
    pub(super) channel: Option<usize>,
    /// Seconds from the start of the sample to the start of the piece. Negative when silence was put before it.
    pub(super) offset: f64,
}

struct Track {
    sample: &'static Sample,
    channel: Option<usize>,
    loudness: Loudness,
}

fn tracks() -> &'static [Track] {
    static TRACKS: LazyLock<Vec<Track>> = LazyLock::new(|| samples::all().iter().flat_map(tracks_of).collect());
    &TRACKS
}

fn tracks_of(sample: &'static Sample) -> Vec<Track> {
    let voices = sample.channels().map(|voice| voice.iter().map(|at| f32::from(*at) / 32768.0).collect::<Vec<_>>());
    let mixed: Vec<f32> =
        voices[0].iter().zip(&voices[1]).map(|(caller, agent)| f32::midpoint(*caller, *agent)).collect();
    let track = |channel, samples: &[f32]| Track { sample, channel, loudness: Loudness::of(samples, 8000) };
    vec![track(Some(0), &voices[0]), track(Some(1), &voices[1]), track(None, &mixed)]
}

/// How alike it is, and to what. Coarse over every place, then closely around the best ones, then to the millisecond.
pub(super) fn recognise(piece: &Loudness) -> Option<(f64, Place)> {
    // Short pieces need fine frames to be told apart; long ones would only get slower.
    let frame = if piece.length() < 6000 { 20 } else { 40 };
    let mut best = coarse(piece, frame);
    best.sort_by(|one, other| other.0.total_cmp(&one.0));
    best.truncate(CANDIDATES);
    let close = best.into_iter().filter_map(|(_, track, from)| {
        let from = closest(piece, track, from, frame as isize, 4, 10)?;
        let (alike, from) = closest(piece, track, from.1, 5, 1, 5)?;
        Some((alike, track, from))
    });
    let (alike, track, from) = close.max_by(|one, other| one.0.total_cmp(&other.0))?;
    let offset = from as f64 / 1000.0;
    (alike >= ALIKE).then_some((alike, Place { sample: track.sample, channel: track.channel, offset }))
}

/// The peaks of the correlation along each track: how alike, where.
fn coarse(piece: &Loudness, frame: usize) -> Vec<(f64, &'static Track, isize)> {
    let count = (piece.length() / frame).max(1);
    let given = Shape::of(piece.frames(0, frame, count));
    let mut peaks = Vec::new();
    for track in tracks() {
        // Half a piece of silence around the track, for pieces that were padded.
        let pad = count / 2;
        let whole =
            track.loudness.frames(-((pad * frame) as isize), frame, track.loudness.length() / frame + 2 * pad + 1);
        let Some(last) = whole.len().checked_sub(count) else { continue };
        let along: Vec<f64> = (0..=last).map(|at| given.alike(&whole[at..at + count])).collect();
        for (at, alike) in along.iter().enumerate() {
            let around = &along[at.saturating_sub(1)..(at + 2).min(along.len())];
            if *alike > 0.3 && around.iter().all(|other| other <= alike) {
                peaks.push((*alike, track, (at as isize - pad as isize) * frame as isize));
            }
        }
    }
    peaks
}

/// The best place within `reach` milliseconds of `from`, in steps of `step`, compared by frames of `frame`.
fn closest(
    piece: &Loudness,
    track: &Track,
    from: isize,
    reach: isize,
    step: usize,
    frame: usize,
) -> Option<(f64, isize)> {
    let count = (piece.length() / frame).max(1);
    let given = Shape::of(piece.frames(0, frame, count));
    let places = (from - reach..=from + reach).step_by(step);
    let alike = places.map(|place| (given.alike(&track.loudness.frames(place, frame, count)), place));
    alike.max_by(|one, other| one.0.total_cmp(&other.0))
}

/// Loudness around its mean, ready to be compared with Pearson's correlation.
struct Shape {
    deviations: Vec<f64>,
    size: f64,
}

impl Shape {
    fn of(frames: Vec<f64>) -> Self {
        let mean = frames.iter().sum::<f64>() / frames.len() as f64;
        let deviations: Vec<f64> = frames.into_iter().map(|frame| frame - mean).collect();
        let size = deviations.iter().map(|deviation| deviation * deviation).sum::<f64>().sqrt();
        Self { deviations, size }
    }

    /// -1 to 1; 0 where one of the two does not vary.
    fn alike(&self, other: &[f64]) -> f64 {
        let count = other.len() as f64;
        let (mut sum, mut squares, mut cross) = (0.0, 0.0, 0.0);
        for (deviation, value) in self.deviations.iter().zip(other) {
            sum += value;
            squares += value * value;
            cross += deviation * value;
        }
        let size = (squares - sum * sum / count).max(0.0).sqrt();
        if size * self.size < 1e-9 { 0.0 } else { cross / (size * self.size) }
    }
}
