//! A call as it was recorded: who said what when, and the files.

use std::path::{Path, PathBuf};

use hound::{SampleFormat, WavSpec, WavWriter};

use crate::{
    line::{Noise, RATE, coded, through},
    script::Script,
    voices,
};

/// Silence before the first and after the last line, seconds.
const EDGE: f64 = 0.8;
/// How late an echo is, seconds.
const ECHO_DELAY: f64 = 0.12;

/// A line as it was said.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    pub(crate) side: usize,
    /// Seconds from the start of the call.
    pub(crate) start: f64,
    pub(crate) end: f64,
    pub(crate) text: String,
}

/// A recorded call.
pub(crate) struct Scene {
    pub(crate) name: &'static str,
    pub(crate) seconds: f64,
    /// In the order of their starts.
    pub(crate) said: Vec<Said>,
    /// Both sides, each on its channel.
    pub(crate) separate: PathBuf,
    /// Both in one channel.
    pub(crate) mixed: PathBuf,
    /// Each side alone.
    pub(crate) sides: [PathBuf; 2],
}

impl Scene {
    /// Speaks and records a call into WAV files in `dir`.
    pub(crate) fn record(script: &Script, dir: &Path) -> anyhow::Result<Self> {
        let (said, spoken) = perform(script)?;
        let heard: Vec<Vec<f32>> = (0..2).map(|side| end_of_line(script, side, &spoken)).collect();
        let mixed: Vec<f32> = heard[0].iter().zip(&heard[1]).map(|(a, b)| coded((a + b) * 0.7)).collect();
        let file = |what: &str| dir.join(format!("{}-{what}.wav", script.name));
        let scene = Self {
            name: script.name,
            seconds: mixed.len() as f64 / f64::from(RATE),
            said,
            separate: file("separate"),
            mixed: file("mixed"),
            sides: [file("caller"), file("agent")],
        };
        write(&scene.separate, &[&heard[0], &heard[1]])?;
        write(&scene.mixed, &[&mixed])?;
        write(&scene.sides[0], &[&heard[0]])?;
        write(&scene.sides[1], &[&heard[1]])?;
        Ok(scene)
    }
}

/// What was said when, and each voice alone.
fn perform(script: &Script) -> anyhow::Result<(Vec<Said>, [Vec<f32>; 2])> {
    let mut voices: [Vec<f32>; 2] = Default::default();
    let (mut said, mut end) = (Vec::new(), EDGE);
    for line in &script.lines {
        let (words, rate) = voices::speak(&script.sides[line.side].voice, &line.text)?;
        let words = through(&words, rate);
        let pause = if said.is_empty() { 0.0 } else { line.pause };
        let first = ((end + pause) * f64::from(RATE)) as usize;
        let voice = &mut voices[line.side];
        voice.resize(voice.len().max(first + words.len()), 0.0);
        voice[first..first + words.len()].iter_mut().zip(&words).for_each(|(sample, word)| *sample += word);
        let at = |sample: usize| sample as f64 / f64::from(RATE);
        end = at(first + words.len());
        said.push(Said { side: line.side, start: at(first), end, text: line.text.clone() });
    }
    let length = voices.iter().map(Vec::len).max().unwrap_or(0) + (EDGE * f64::from(RATE)) as usize;
    voices.iter_mut().for_each(|voice| voice.resize(length, 0.0));
    said.sort_by(|a, b| a.start.total_cmp(&b.start));
    Ok((said, voices))
}

/// One channel: the voice, the echo of the other, noise, and what the codec makes of it.
fn end_of_line(script: &Script, side: usize, voices: &[Vec<f32>; 2]) -> Vec<f32> {
    let mut noise = Noise::new(script.sides[side].noise, side as u64);
    let echo = script.sides[side].echo.map_or(0.0, |db| 10_f64.powf(db / 20.0) as f32);
    let delay = (ECHO_DELAY * f64::from(RATE)) as usize;
    let other = &voices[1 - side];
    let heard = |(at, sample): (usize, &f32)| {
        let echoed = at.checked_sub(delay).map_or(0.0, |at| other[at] * echo);
        coded(sample + echoed + noise.next())
    };
    voices[side].iter().enumerate().map(heard).collect()
}

fn write(path: &Path, channels: &[&[f32]]) -> anyhow::Result<()> {
    let spec = WavSpec {
        channels: u16::try_from(channels.len())?,
        sample_rate: RATE,
        bits_per_sample: 16,
        sample_format: SampleFormat::Int,
    };
    let mut writer = WavWriter::create(path, spec)?;
    for at in 0..channels[0].len() {
        for channel in channels {
            writer.write_sample((channel[at] * 32767.0) as i16)?;
        }
    }
    Ok(writer.finalize()?)
}
