//! Decodes a file from beginning to end, block by block.

use std::{io, path::Path};

use tokio_util::sync::CancellationToken;

use super::{
    NotAudio,
    decimate::{Decimator, factor},
    open::Source,
};

/// A stretch of samples, a fraction of a second long.
pub struct Block<'a> {
    /// Samples per second. The file's, or a whole fraction of it where the file has more than speech needs.
    pub rate: u32,
    /// One or two channels of the same length, −1 to 1. A file with more channels is mixed into one.
    pub channels: &'a [Vec<f32>],
}

/// Hands every block to `hear`, in order, until `stop` is cancelled. Damaged frames become silence, so that times stay right.
///
/// # Errors
/// [`NotAudio`], also for what `hear` returns, and when it was stopped.
pub fn decode(
    path: &Path,
    stop: &CancellationToken,
    mut hear: impl FnMut(Block<'_>) -> io::Result<()>,
) -> Result<(), NotAudio> {
    let mut source = Source::open(path)?;
    let mut known: Option<Lowered> = None;
    let mut raw: Vec<Vec<f32>> = Vec::new();
    while let Some(packet) = source.next_packet()? {
        if stop.is_cancelled() {
            return Err(NotAudio::Io(io::Error::other("nobody waits for it any more")));
        }
        let spec = source.decode(&packet)?.map(|samples| {
            samples.copy_to_vecs_planar(&mut raw);
            // One sample that is no number would spoil every level and every filter behind it.
            raw.iter_mut().flatten().filter(|sample| !sample.is_finite()).for_each(|sample| *sample = 0.0);
            (samples.spec().rate(), samples.num_planes())
        });
        match (spec, &known) {
            (Some((rate, planes)), None) if planes > 0 => known = Some(Lowered::new(rate, planes)),
            (Some(spec), Some(known)) if spec == (known.rate, known.planes) => {}
            (_, Some(known)) => {
                let seconds = source.seconds(packet.dur.get(), known.rate).min(1.0);
                let frames = (seconds * f64::from(known.rate)).round() as usize;
                raw.iter_mut().for_each(Vec::clear);
                raw.resize_with(known.planes, Vec::new);
                raw.iter_mut().for_each(|channel| channel.resize(frames, 0.0));
            }
            (_, None) => continue,
        }
        if let Some(known) = &mut known {
            hear(known.lower(&mut raw))?;
        }
    }
    known.map(|_| ()).ok_or_else(|| NotAudio::Undecodable("no frame decodes".into()))
}

/// The samples at the rate and in the number of channels that are handed on.
struct Lowered {
    rate: u32,
    planes: usize,
    decimators: Vec<Decimator>,
    out: Vec<Vec<f32>>,
}

impl Lowered {
    fn new(rate: u32, planes: usize) -> Self {
        let channels = if planes > 2 { 1 } else { planes };
        let decimators = (0..channels).map(|_| Decimator::new(factor(rate))).collect();
        Self { rate, planes, decimators, out: vec![Vec::new(); channels] }
    }

    fn lower(&mut self, raw: &mut [Vec<f32>]) -> Block<'_> {
        if self.planes > 2 {
            let (first, rest) = raw.split_at_mut(1);
            for (at, sample) in first[0].iter_mut().enumerate() {
                *sample += rest.iter().map(|channel| channel[at]).sum::<f32>();
                *sample /= self.planes as f32;
            }
        }
        for ((decimator, out), channel) in self.decimators.iter_mut().zip(&mut self.out).zip(raw) {
            out.clear();
            decimator.push(channel, out);
        }
        Block { rate: self.rate / factor(self.rate), channels: &self.out }
    }
}
