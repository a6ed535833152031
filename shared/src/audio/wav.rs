//! The header of a WAV file, read by us: recorders that stream leave sizes open or wrong, and a file that was cut off is
//! only known by its sizes.

use std::{
    fs::File,
    io::{Cursor, Read, Seek, SeekFrom},
};

use super::NotAudio;

/// Sizes from here on are what recorders write that do not know the length yet (sox: 0x7FFFF000, others all ones).
const OPEN_ENDED: u32 = 0x7fff_0000;
/// More chunks before the samples than any recorder writes.
const MOST_CHUNKS: usize = 64;
/// The longest `fmt ` chunk in use has 50 bytes (Microsoft ADPCM).
const LONGEST_FMT: u32 = 256;

const PCM: u16 = 1;
const FLOAT: u16 = 3;
const A_LAW: u16 = 6;
const MU_LAW: u16 = 7;

/// The file as a stream that starts with a plain header whose sizes are right, and ends where the samples end.
///
/// `length` is the file's. Files whose data chunk announces more bytes than there are fail as [`NotAudio::Truncated`],
/// unless the announced size says that it was not known.
pub(super) fn normalized(mut file: File, length: u64) -> Result<impl Read + Send + Sync, NotAudio> {
    let (fmt, start, announced) = find_data(&mut file, length)?;
    let present = length.saturating_sub(start);
    let open_ended = announced == 0 || announced >= OPEN_ENDED;
    if !open_ended && u64::from(announced) > present {
        return Err(NotAudio::Truncated { expected: start + u64::from(announced), actual: length });
    }
    let samples = if open_ended { present } else { u64::from(announced) };
    if samples == 0 {
        return Err(NotAudio::Empty);
    }
    // Sizes have 32 bits; a file beyond that is far longer than the longest recording that is accepted.
    let size = u32::try_from(samples).unwrap_or(u32::MAX - 1024);
    file.seek(SeekFrom::Start(start))?;
    Ok(Cursor::new(header(&plain(fmt), size)).chain(file.take(samples)))
}

/// The body of the `fmt ` chunk, where the samples start, and how many bytes of them are announced.
fn find_data(file: &mut File, length: u64) -> Result<(Vec<u8>, u64, u32), NotAudio> {
    let mut fmt = None;
    let mut at = 12;
    for _ in 0..MOST_CHUNKS {
        if at + 8 > length {
            break;
        }
        file.seek(SeekFrom::Start(at))?;
        let mut head = [0; 8];
        file.read_exact(&mut head)?;
        let [a, b, c, d, size @ ..] = head;
        let size = u32::from_le_bytes(size);
        at += 8;
        match &[a, b, c, d] {
            b"data" => {
                let fmt = fmt.ok_or_else(|| undecodable("samples come before their format"))?;
                return Ok((fmt, at, size));
            }
            b"fmt " if size <= LONGEST_FMT => {
                let mut body = vec![0; size as usize];
                file.read_exact(&mut body).map_err(|_| cut_off(at + u64::from(size), length))?;
                fmt = Some(body);
            }
            _ => {}
        }
        at += u64::from(size) + u64::from(size & 1);
    }
    match at > length {
        true => Err(cut_off(at, length)),
        false => Err(undecodable("no samples in the file")),
    }
}

/// The `fmt ` chunk in the one length that the decoder takes: extensions that say nothing are written by some recorders
/// and missing from others.
fn plain(mut fmt: Vec<u8>) -> Vec<u8> {
    match fmt.first_chunk::<2>().map(|tag| u16::from_le_bytes(*tag)) {
        Some(PCM | FLOAT) => fmt.truncate(16),
        Some(A_LAW | MU_LAW) if fmt.len() >= 16 => {
            fmt.truncate(16);
            fmt.extend([0, 0]);
        }
        _ => {}
    }
    fmt
}

fn header(fmt: &[u8], samples: u32) -> Vec<u8> {
    let fmt_size = u32::try_from(fmt.len()).unwrap_or(LONGEST_FMT);
    let padding = fmt.len() % 2;
    let riff_size = (20 + fmt_size + u32::from(padding == 1)).saturating_add(samples);
    let mut header = Vec::with_capacity(64);
    header.extend_from_slice(b"RIFF");
    header.extend_from_slice(&riff_size.to_le_bytes());
    header.extend_from_slice(b"WAVEfmt ");
    header.extend_from_slice(&fmt_size.to_le_bytes());
    header.extend_from_slice(fmt);
    header.extend(std::iter::repeat_n(0, padding));
    header.extend_from_slice(b"data");
    header.extend_from_slice(&samples.to_le_bytes());
    header
}

fn cut_off(expected: u64, actual: u64) -> NotAudio {
    NotAudio::Truncated { expected, actual }
}

fn undecodable(what: &str) -> NotAudio {
    NotAudio::Undecodable(what.to_owned())
}
