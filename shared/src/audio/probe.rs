//! Proves that a file is audio.

use std::path::Path;

use super::open::Source;

/// Longer than any call; a longer duration means that the header is wrong.
pub const LONGEST_SECONDS: f64 = 48.0 * 3600.0;
/// Packets within which one must decode. An MP3 that was cut out of a longer one begins with a few that cannot.
const PATIENCE: u32 = 50;

/// What a file was proven to be.
#[derive(Debug, Clone, PartialEq)]
pub struct Probe {
    /// `wav`, `mp3`, `ogg`, `flac`, `m4a`.
    pub format: &'static str,
    /// Length in seconds: of WAV by the bytes that are there, of others by their packets.
    pub duration_seconds: f64,
    /// Number of channels.
    pub channels: i32,
    /// Samples per second, as decoded: Opus has no rate of its own and is decoded at 16,000.
    pub sample_rate: i32,
}

/// Why a file is not audio that can be used.
#[derive(Debug, thiserror::Error)]
pub enum NotAudio {
    /// No bytes, or a header and nothing else.
    #[error("the file is empty")]
    Empty,
    /// A page of text that was sent instead: `html`, `xml`, `json`, `text`.
    #[error("the file is a page of {kind}")]
    ErrorPage {
        /// What sort of text.
        kind: &'static str,
    },
    /// Bytes of no format that is understood.
    #[error("the file is of no known audio format")]
    UnknownFormat,
    /// The end is missing.
    #[error("the file is cut off: {actual} of {expected}")]
    Truncated {
        /// Bytes (WAV) or samples (others) that the header announces.
        expected: u64,
        /// What is there.
        actual: u64,
    },
    /// It looks like audio and cannot be decoded.
    #[error("the file cannot be decoded: {0}")]
    Undecodable(String),
    /// Longer than [`LONGEST_SECONDS`].
    #[error("the file claims to be {seconds:.0} s long")]
    TooLong {
        /// What it claims.
        seconds: f64,
    },
    /// The file cannot be read; it may still be audio.
    #[error("the file cannot be read: {0}")]
    Io(#[from] std::io::Error),
}

/// Checks magic bytes and sizes, decodes a frame and finds the duration. Blocks; memory stays flat.
///
/// # Errors
/// [`NotAudio`]. Only [`NotAudio::Io`] is worth another try with the same file.
pub fn probe(path: &Path) -> Result<Probe, NotAudio> {
    let mut source = Source::open(path)?;
    let known = source.track().num_frames.filter(|_| source.format.as_str() == "wav");
    let mut proven: Option<(usize, u32)> = None;
    let (mut tried, mut ticks) = (0, 0_u64);
    while let Some(packet) = source.next_packet()? {
        ticks = ticks.saturating_add(packet.dur.get());
        if proven.is_none() {
            tried += 1;
            if let Some(samples) = source.decode(&packet)?.filter(|s| s.frames() > 0) {
                proven = Some((samples.num_planes(), samples.spec().rate()));
            } else if tried >= PATIENCE {
                break;
            }
        }
        if proven.is_some() && known.is_some() {
            break;
        }
    }
    let (channels, rate) = proven.ok_or_else(|| NotAudio::Undecodable("no frame decodes".into()))?;
    let duration_seconds = match known {
        Some(frames) => frames as f64 / f64::from(rate.max(1)),
        None => seconds(&source, ticks, rate)?,
    };
    judged(Probe {
        format: source.format.as_str(),
        duration_seconds,
        channels: i32::try_from(channels).unwrap_or(i32::MAX),
        sample_rate: i32::try_from(rate).unwrap_or(i32::MAX),
    })
}

/// Seconds of all packets; fewer than the header announces means that the file was cut off. An MP3's header counts
/// frames, which its encoder may get wrong by a few.
fn seconds(source: &Source, ticks: u64, rate: u32) -> Result<f64, NotAudio> {
    let track = source.track();
    if let Some(announced) = track.num_frames
        && !source.is_opus()
        && track.time_base.is_none_or(|base| base.numer.get() == 1 && base.denom.get() == rate)
        && ticks < announced.saturating_sub(u64::from(rate))
    {
        return Err(NotAudio::Truncated { expected: announced, actual: ticks });
    }
    Ok(source.seconds(ticks, rate))
}

fn judged(probe: Probe) -> Result<Probe, NotAudio> {
    if !(1..=8).contains(&probe.channels) || !(2_000..=384_000).contains(&probe.sample_rate) {
        return Err(NotAudio::Undecodable("implausible channels or sample rate".into()));
    }
    if probe.duration_seconds <= 0.0 {
        return Err(NotAudio::Empty);
    }
    if probe.duration_seconds > LONGEST_SECONDS {
        return Err(NotAudio::TooLong { seconds: probe.duration_seconds });
    }
    Ok(probe)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests may panic")]
    use super::{
        super::sounds::{RATE, file, fixture, fmt, raw_wav},
        *,
    };

    const SECOND: u32 = RATE * 2;

    fn one_second() -> Vec<u8> {
        (0..SECOND).map(|i| (i % 251) as u8).collect()
    }

    #[test]
    fn every_format_is_proven_with_its_length_channels_and_rate() {
        let cases = [
            ("mp3", "mp3", 16000, 0.15),
            ("m4a", "m4a", 16000, 0.15),
            ("flac", "flac", 8000, 0.001),
            ("ogg", "ogg", 8000, 0.1),
            ("opus", "ogg", 16000, 0.001),
        ];
        for (extension, format, rate, off) in cases {
            let found = probe(&fixture(extension)).unwrap();
            assert_eq!((found.format, found.channels, found.sample_rate), (format, 2, rate), "{extension}");
            assert!((found.duration_seconds - 2.5).abs() <= off, "{format}: {}", found.duration_seconds);
        }
    }

    #[test]
    fn every_coding_of_wav_that_telephony_uses_is_decoded() {
        for (tag, bits) in [(1, 8), (1, 16), (1, 24), (1, 32), (3, 32), (6, 8), (7, 8)] {
            for channels in [1_u16, 2] {
                let frame = u32::from(channels * bits / 8);
                let samples = vec![0x11; (RATE * frame) as usize];
                let mut fmt = fmt(tag, channels, bits);
                for _ in 0..2 {
                    let size = RATE * frame;
                    let wav = file(&raw_wav(&fmt, size + 48, size, &samples));
                    let found = probe(wav.path()).unwrap();
                    assert_eq!((found.channels, found.sample_rate), (i32::from(channels), 8000), "{tag}/{bits}");
                    assert!((found.duration_seconds - 1.0).abs() < 0.001, "{tag}/{bits}");
                    // The same with the empty extension that some recorders add.
                    fmt.extend([0, 0]);
                }
            }
        }
    }

    #[test]
    fn a_recording_of_unknown_size_is_as_long_as_its_bytes() {
        let fmt = fmt(1, 1, 16);
        for (riff, data) in [(u32::MAX, u32::MAX), (0, 0), (0x7fff_f024, 0x7fff_f000), (36, 0)] {
            let wav = file(&raw_wav(&fmt, riff, data, &one_second()));
            assert!((probe(wav.path()).unwrap().duration_seconds - 1.0).abs() < 0.001, "{riff} {data}");
        }
    }

    #[test]
    fn a_file_that_was_cut_off_is_refused() {
        let wav = file(&raw_wav(&fmt(1, 1, 16), SECOND * 2 + 48, SECOND * 2, &one_second()));
        let Err(NotAudio::Truncated { expected, actual }) = probe(wav.path()) else { panic!("accepted") };
        assert_eq!(expected - actual, u64::from(SECOND));
        for format in ["flac", "m4a"] {
            let whole = std::fs::read(fixture(format)).unwrap();
            let half = file(&whole[..whole.len() / 2]);
            assert!(probe(half.path()).is_err(), "{format}");
        }
    }

    #[test]
    fn what_is_no_audio_is_refused() {
        let wav = |samples: &[u8]| raw_wav(&fmt(1, 1, 16), 48, 0, samples);
        let cases = [
            (Vec::new(), "Empty"),
            (wav(b""), "Empty"),
            (b"<html>Not found</html>".to_vec(), "ErrorPage { kind: \"html\" }"),
            (vec![0; 4096], "UnknownFormat"),
            ([b"\xff\xfb\x90\xc4".to_vec(), vec![7; 4096]].concat(), "Undecodable"),
            (raw_wav(&fmt(49, 1, 0), 48, 320, &[0; 320]), "Undecodable"),
        ];
        for (bytes, expected) in cases {
            let error = format!("{:?}", probe(file(&bytes).path()).unwrap_err());
            assert!(error.starts_with(expected), "{error}");
        }
    }

    #[test]
    fn a_tag_before_the_first_frame_does_not_matter_however_long() {
        let plain = std::fs::read(fixture("mp3")).unwrap();
        let mut tagged = b"ID3\x04\0\0\0\0\x7f\x7f".to_vec();
        tagged.extend(vec![0xff; 0x3fff]);
        tagged.extend(&plain[10 + usize::from(plain[9])..]);
        let found = probe(file(&tagged).path()).unwrap();
        assert!((found.duration_seconds - 2.5).abs() < 0.15, "{}", found.duration_seconds);
    }
}
