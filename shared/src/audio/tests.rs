//! Every format and coding from end to end, whole and damaged.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

use std::path::Path;

use tokio_util::sync::CancellationToken;

use super::{
    sounds::{RATE, babble, file, fixture, fmt, raw_wav, silence},
    *,
};

fn samples(path: &Path) -> Result<Vec<f32>, NotAudio> {
    let mut samples = Vec::new();
    decode(path, &CancellationToken::new(), |block| {
        samples.extend_from_slice(&block.channels[0]);
        Ok(())
    })?;
    Ok(samples)
}

/// µ-law as in G.711.
fn mu_law(sample: i16) -> u8 {
    let sign = if sample < 0 { 0x80 } else { 0 };
    let magnitude = sample.unsigned_abs().min(32_635) + 0x84;
    let segment = 8 - magnitude.leading_zeros() as u8;
    !(sign | segment << 4 | (magnitude >> (segment + 3) & 0xf) as u8)
}

/// A-law as in G.711.
fn a_law(sample: i16) -> u8 {
    let sign = if sample < 0 { 0 } else { 0x80 };
    let magnitude = (if sample < 0 { !sample } else { sample }) >> 4;
    let segment = (12 - (magnitude as u16).leading_zeros().min(12)) as u8;
    let code = if segment == 0 { magnitude as u8 } else { segment << 4 | (magnitude >> (segment - 1) & 0xf) as u8 };
    (sign | code) ^ 0x55
}

#[test]
fn every_coding_of_wav_is_decoded_to_what_went_in() {
    let sound = [silence(0.5), babble(1.5, 0.7), silence(0.5)].concat();
    let coded = |code: &dyn Fn(f32) -> Vec<u8>| sound.iter().flat_map(|sample| code(*sample)).collect::<Vec<u8>>();
    let short = |sample: f32| (sample * 32_767.0) as i16;
    let long = |sample: f32| (f64::from(sample) * 2_147_483_647.0) as i32;
    let cases = [
        ("PCM 8", 1, 8, coded(&|s| vec![(s * 127.0 + 128.0) as u8])),
        ("PCM 16", 1, 16, coded(&|s| short(s).to_le_bytes().to_vec())),
        ("PCM 24", 1, 24, coded(&|s| long(s).to_le_bytes()[1..].to_vec())),
        ("PCM 32", 1, 32, coded(&|s| long(s).to_le_bytes().to_vec())),
        ("float 32", 3, 32, coded(&|s| s.to_le_bytes().to_vec())),
        ("float 64", 3, 64, coded(&|s| f64::from(s).to_le_bytes().to_vec())),
        ("A-law", 6, 8, coded(&|s| vec![a_law(short(s))])),
        ("µ-law", 7, 8, coded(&|s| vec![mu_law(short(s))])),
    ];
    for (name, tag, bits, bytes) in cases {
        let size = u32::try_from(bytes.len()).unwrap();
        let wav = file(&raw_wav(&fmt(tag, 1, bits), size + 48, size, &bytes));
        let decoded = samples(wav.path()).unwrap();
        assert_eq!(decoded.len(), sound.len(), "{name}");
        let worst = decoded.iter().zip(&sound).map(|(a, b)| (a - b).abs() / b.abs().max(0.3)).fold(0.0, f32::max);
        assert!(worst < 0.04, "{name}: {worst}");
        let heard = survey(wav.path(), &CancellationToken::new()).unwrap();
        assert!((heard.speech_seconds() - 1.5).abs() < 0.15, "{name}: {:?}", heard.voices);
    }
}

#[test]
fn opus_is_decoded_in_time_and_as_loud_as_it_was() {
    let (opus, flac) = (samples(&fixture("opus")).unwrap(), samples(&fixture("flac")).unwrap());
    assert_eq!(opus.len(), flac.len() * 2, "16 kHz and 8 kHz");
    let energy = |samples: &[f32]| samples.iter().map(|s| s * s).sum::<f32>() / samples.len() as f32;
    let ratio = energy(&opus) / energy(&flac);
    assert!((0.9..1.1).contains(&ratio), "{ratio}");
    let together: f32 = flac.iter().zip(opus.iter().step_by(2)).map(|(a, b)| a * b).sum::<f32>() / flac.len() as f32;
    assert!(together > 0.9 * energy(&flac), "{together}");
}

#[test]
fn damaged_files_end_in_an_error_or_in_sound_and_never_in_a_panic() {
    let mut state = 0x9e37_79b9_u32;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as usize % below
    };
    let wav = {
        let bytes: Vec<u8> = babble(1.0, 0.5).iter().map(|s| mu_law((s * 32_767.0) as i16)).collect();
        raw_wav(&fmt(7, 1, 8), RATE + 48, RATE, &bytes)
    };
    let fixtures = ["mp3", "m4a", "flac", "ogg", "opus"].map(|format| std::fs::read(fixture(format)).unwrap());
    for whole in fixtures.iter().chain([&wav]) {
        for round in 0..120 {
            let mut bytes = whole.clone();
            match round % 4 {
                0 => bytes.truncate(random(whole.len())),
                1 => (0..20).for_each(|_| bytes[random(whole.len())] = random(256) as u8),
                2 => bytes[random(200)] = [0, 1, 0x7f, 0x80, 0xff][random(5)],
                _ => {
                    let (from, to) = (random(whole.len()), random(whole.len()));
                    bytes.splice(from.min(to)..from.max(to), whole[..random(64)].iter().copied());
                }
            }
            let damaged = file(&bytes);
            drop(probe(damaged.path()));
            if let Ok(samples) = samples(damaged.path()) {
                assert!(samples.len() < 60 * 16_000, "{} samples out of {} bytes", samples.len(), bytes.len());
            }
        }
    }
}

#[test]
fn samples_that_are_no_numbers_are_silence() {
    let mut sound = [silence(0.5), babble(1.5, 0.7), silence(0.5)].concat();
    for (at, odd) in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY].into_iter().enumerate() {
        sound[at * 3000 + 100] = odd;
    }
    let bytes: Vec<u8> = sound.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    let size = u32::try_from(bytes.len()).unwrap();
    let wav = file(&raw_wav(&fmt(3, 1, 32), size + 48, size, &bytes));
    let decoded = samples(wav.path()).unwrap();
    assert_eq!(decoded.len(), sound.len());
    assert!(decoded.iter().all(|sample| sample.is_finite()));
    assert!((survey(wav.path(), &CancellationToken::new()).unwrap().speech_seconds() - 1.5).abs() < 0.3);
}

#[test]
fn decoding_stops_where_nobody_waits_for_it_any_more() {
    for format in ["mp3", "m4a", "flac", "ogg", "opus"] {
        let (stop, mut blocks) = (CancellationToken::new(), 0);
        let stopped = decode(&fixture(format), &stop, |_| {
            blocks += 1;
            stop.cancel();
            Ok(())
        });
        assert!(matches!(stopped, Err(NotAudio::Io(_))) && blocks == 1, "{format}: {blocks} blocks");
    }
}
