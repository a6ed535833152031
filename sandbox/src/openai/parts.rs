//! Pieces out of which the silence was taken: several stretches of one sample, one after the other, a pause between them.

use super::{
    audio::Loudness,
    recognise::{Place, recognise},
};

/// Milliseconds of silence at which a piece is taken apart.
const PAUSE: usize = 700;
/// Milliseconds that are judged at a time.
const FRAME: usize = 20;

/// A stretch of the piece, in seconds from its start, and where it comes from.
pub(super) struct Part {
    pub(super) place: Place,
    pub(super) from: f64,
    pub(super) to: f64,
}

/// The parts of a piece, all of one sample; `None` when one of them is unknown. Quieter than `silent` is a pause.
pub(super) fn parts(piece: &Loudness, silent: f64) -> Option<Vec<Part>> {
    let mut parts: Vec<Part> = Vec::new();
    for (from, to) in stretches(piece, silent) {
        let (_, place) = recognise(&piece.part(from, to))?;
        let seconds = |at: usize| at as f64 / 1000.0;
        parts.push(Part { place, from: seconds(from), to: seconds(to) });
    }
    let one_sample = parts.windows(2).all(|pair| pair[0].place.sample.name == pair[1].place.sample.name);
    (one_sample && !parts.is_empty()).then_some(parts)
}

/// From and to, in milliseconds, cut in the middle of each pause.
fn stretches(piece: &Loudness, silent: f64) -> Vec<(usize, usize)> {
    let loud: Vec<bool> =
        piece.frames(0, FRAME, piece.length().div_ceil(FRAME)).iter().map(|rms| *rms >= silent).collect();
    let (mut cuts, mut last) = (vec![0], None);
    for at in loud.iter().enumerate().filter_map(|(at, loud)| loud.then_some(at * FRAME)) {
        if let Some(last) = last.replace(at)
            && at - last > PAUSE
        {
            cuts.push(usize::midpoint(last + FRAME, at));
        }
    }
    cuts.push(piece.length());
    cuts.windows(2).map(|pair| (pair[0], pair[1])).collect()
}
