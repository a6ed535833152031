//! Ogg with Opus, as OpenAI takes it too.

use std::io::Cursor;

use ogg::reading::PacketReader;
use ropus::{Channels, DecodeMode, Decoder};

/// What everything is decoded at.
pub(super) const RATE: u32 = 16_000;
/// What Ogg counts samples at (RFC 7845).
const TICKS: u64 = 48_000;

/// The samples of a file, its channels in one; None when it is no such file.
pub(super) fn read(bytes: &[u8]) -> Option<Vec<f32>> {
    let mut packets = PacketReader::new(Cursor::new(bytes));
    let head = packets.read_packet().ok()??;
    let skip = head.data.strip_prefix(b"OpusHead")?.get(2..4).map(|skip| u16::from_le_bytes([skip[0], skip[1]]))?;
    packets.read_packet().ok()?.filter(|tags| tags.data.starts_with(b"OpusTags"))?;
    let samples = |ticks: u64| usize::try_from(ticks * u64::from(RATE) / TICKS).ok();
    let mut decoder = Decoder::new(RATE, Channels::Mono).ok()?;
    let mut decoded = vec![0.0; RATE as usize * 120 / 1000];
    let (mut all, mut end) = (Vec::new(), 0);
    while let Ok(Some(packet)) = packets.read_packet() {
        let frames = decoder.decode_float(&packet.data, &mut decoded, DecodeMode::Normal).ok()?;
        all.extend_from_slice(&decoded[..frames]);
        end = packet.absgp_page();
    }
    all.truncate(samples(end)?);
    all.drain(..samples(skip.into())?.min(all.len()));
    Some(all)
}
