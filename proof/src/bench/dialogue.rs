//! A recording as long as one likes: the dialogues of the sandbox one after the other, with a little noise on the line.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::Path,
};

use anyhow::Context;

/// Samples per second, as telephony has them.
const RATE: u32 = 8000;

/// Writes a WAV file of that length with two channels, the caller first.
pub fn record(path: &Path, hours: f64) -> anyhow::Result<()> {
    let frames = (hours * 3600.0 * f64::from(RATE)) as u32;
    let mut file = BufWriter::new(File::create(path)?);
    file.write_all(&header(frames))?;
    let dialogues: Vec<[Vec<i16>; 2]> = sandbox::samples::all().iter().map(|sample| sample.channels()).collect();
    let mut both = dialogues.iter().flat_map(|[left, right]| left.iter().zip(right)).cycle();
    let mut noise = 1_u32;
    for _ in 0..frames {
        let (left, right) = both.next().context("there are samples")?;
        for sample in [left, right] {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            file.write_all(&sample.saturating_add((noise >> 25) as i16 - 64).to_le_bytes())?;
        }
    }
    file.flush()?;
    Ok(())
}

/// Of a WAV file of two channels of 16 bits.
fn header(frames: u32) -> Vec<u8> {
    let bytes = frames * 4;
    let mut header = b"RIFF".to_vec();
    header.extend((bytes + 36).to_le_bytes());
    header.extend(b"WAVEfmt \x10\0\0\0\x01\0\x02\0");
    header.extend(RATE.to_le_bytes());
    header.extend((RATE * 4).to_le_bytes());
    header.extend(b"\x04\0\x10\0data");
    header.extend(bytes.to_le_bytes());
    header
}
