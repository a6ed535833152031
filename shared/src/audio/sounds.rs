//! Synthetic sounds for tests.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

use std::{io::Write, path::PathBuf};

use tempfile::NamedTempFile;

/// Samples per second of everything made here.
pub(crate) const RATE: u32 = 8000;

/// `fixtures/voice.…`: 1 s of silence, 1 s of a voice on the left, 0.5 s of silence.
pub(crate) fn fixture(extension: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "src/audio/fixtures", &format!("voice.{extension}")].iter().collect()
}

/// A file with these bytes.
pub(crate) fn file(bytes: &[u8]) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    file.flush().unwrap();
    file
}

/// A WAV file out of any `fmt` and sizes.
pub(crate) fn raw_wav(fmt: &[u8], riff_size: u32, data_size: u32, samples: &[u8]) -> Vec<u8> {
    let mut bytes = b"RIFF".to_vec();
    bytes.extend(riff_size.to_le_bytes());
    bytes.extend(b"WAVEfmt ");
    bytes.extend(u32::try_from(fmt.len()).unwrap().to_le_bytes());
    bytes.extend(fmt);
    bytes.extend(b"LIST\x04\0\0\0INFOdata");
    bytes.extend(data_size.to_le_bytes());
    bytes.extend(samples);
    bytes
}

/// The body of a `fmt ` chunk for samples at [`RATE`].
pub(crate) fn fmt(tag: u16, channels: u16, bits: u16) -> Vec<u8> {
    let align = channels * bits / 8;
    let mut fmt = tag.to_le_bytes().to_vec();
    fmt.extend(channels.to_le_bytes());
    fmt.extend(RATE.to_le_bytes());
    fmt.extend((RATE * u32::from(align)).to_le_bytes());
    fmt.extend(align.to_le_bytes());
    fmt.extend(bits.to_le_bytes());
    fmt
}

/// A WAV file of PCM16 with these channels.
pub(crate) fn wav(channels: &[Vec<f32>]) -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    let spec = hound::WavSpec {
        channels: u16::try_from(channels.len()).unwrap(),
        sample_rate: RATE,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(file.path(), spec).unwrap();
    for at in 0..channels[0].len() {
        for channel in channels {
            writer.write_sample((channel[at] * 32767.0) as i16).unwrap();
        }
    }
    writer.finalize().unwrap();
    file
}

/// Nothing.
pub(crate) fn silence(seconds: f64) -> Vec<f32> {
    vec![0.0; (seconds * f64::from(RATE)) as usize]
}

/// Noise of this loudness, the same every time.
pub(crate) fn noise(seconds: f64, peak: f32) -> Vec<f32> {
    let mut state = 0x2545_f491_u32;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state as f32 / u32::MAX as f32 * 2.0 - 1.0) * peak
    };
    (0..(seconds * f64::from(RATE)) as usize).map(|_| next()).collect()
}

/// A synthetic voice that draws no breath.
pub(crate) fn babble(seconds: f64, peak: f32) -> Vec<f32> {
    let sample = sandbox::samples::named("billing").unwrap();
    let spoken = &sample.channels()[1];
    let at = |seconds: f64| (seconds * f64::from(RATE)) as usize;
    let sentences = sample.turns.iter().filter(|turn| turn.channel == 1).flat_map(|turn| &turn.sentences);
    let voice = sentences.flat_map(|sentence| &spoken[at(sentence.start)..at(sentence.end)]);
    let voice: Vec<f32> = voice.map(|sample| f32::from(*sample)).collect();
    let loudest = voice.iter().fold(1.0_f32, |loudest, sample| loudest.max(sample.abs()));
    voice.iter().cycle().take(at(seconds)).map(|sample| sample / loudest * peak).collect()
}

/// Tones of these pitches at once.
pub(crate) fn tone(seconds: f64, pitches: &[f64], peak: f32) -> Vec<f32> {
    let sample = |i: u32| {
        let t = f64::from(i) / f64::from(RATE) * std::f64::consts::TAU;
        let sum: f64 = pitches.iter().map(|pitch| (t * pitch).sin()).sum();
        (sum / pitches.len() as f64) as f32 * peak
    };
    (0..(seconds * f64::from(RATE)) as u32).map(sample).collect()
}

/// One sound over another.
pub(crate) fn mixed(a: &[f32], b: &[f32]) -> Vec<f32> {
    a.iter().zip(b).map(|(a, b)| a + b).collect()
}
