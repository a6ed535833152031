//! The voices: flite, which Debian has with four of them, all free.

use std::process::Command;

use anyhow::{Context, ensure};
use hound::WavReader;

/// Quieter than this, against the loudest sample, is before or after the words.
const EDGE: f32 = 0.02;

/// What it says, from the first to the last sound, between −1 and 1, with its samples per second.
pub(crate) fn speak(voice: &str, text: &str) -> anyhow::Result<(Vec<f32>, u32)> {
    let file = tempfile::Builder::new().suffix(".wav").tempfile()?;
    let spoken = Command::new("flite").args(["-voice", voice, "-t", text, "-o"]).arg(file.path()).output();
    let spoken = spoken.context("flite speaks the calls and is not there: apt-get install flite")?;
    ensure!(spoken.status.success(), "flite: {}", String::from_utf8_lossy(&spoken.stderr).trim());
    let mut reader = WavReader::open(file.path()).context("flite wrote no WAV file")?;
    let rate = reader.spec().sample_rate;
    let samples: Vec<f32> =
        reader.samples::<i16>().map(|s| s.map(|s| f32::from(s) / 32768.0)).collect::<Result<_, _>>()?;
    let edge = samples.iter().fold(0.0_f32, |peak, sample| sample.abs().max(peak)) * EDGE;
    let loud = |sample: &f32| sample.abs() > edge;
    let (first, last) = (samples.iter().position(loud), samples.iter().rposition(loud));
    let (first, last) = first.zip(last).context("flite said nothing")?;
    Ok((samples[first..=last].to_vec(), rate))
}
