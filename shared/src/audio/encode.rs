//! A piece, small enough to send: Ogg with Opus, about a tenth of the size of its WAV file (`docs/audio.md`).

use std::{
    io::{self, Read},
    slice,
};

use hound::{SampleFormat, WavReader};
use ogg::writing::{PacketWriteEndInfo, PacketWriter};
use ropus::{Application, Bitrate, Channels, Encoder};

use super::resample::{RATE, Resampler};

/// Bits per second of speech. Words are understood as well as from the WAV file at less than that.
const BITRATE: u32 = 24_000;
/// Of ten; more takes longer and is not heard at this bit rate.
const COMPLEXITY: u8 = 5;
/// Packets per second.
const PACKETS: u32 = 50;
/// What Ogg counts samples at, whatever their rate (RFC 7845 §4).
const TICKS: u32 = 48_000;
/// Larger than any packet of that bit rate.
const LARGEST_PACKET: usize = 1500;
/// A file of its own needs no serial number of its own.
const SERIAL: u32 = 1;

/// Encodes a WAV file of 16 bits and one channel.
///
/// # Errors
/// When it is no such file.
pub fn to_opus(wav: impl Read) -> io::Result<Vec<u8>> {
    let mut reader = WavReader::new(wav).map_err(io::Error::other)?;
    let spec = reader.spec();
    if (spec.channels, spec.bits_per_sample, spec.sample_format) != (1, 16, SampleFormat::Int) {
        return Err(io::Error::other("a piece has one channel of 16 bits"));
    }
    // Opus takes these as they are.
    let rate = if [8_000, 12_000, RATE, 24_000, TICKS].contains(&spec.sample_rate) { spec.sample_rate } else { RATE };
    let mut resampler = (rate != spec.sample_rate).then(|| Resampler::new(spec.sample_rate));
    let mut writer = Writer::new(rate)?;
    let mut raised = Vec::new();
    for sample in reader.samples::<i16>() {
        let sample = f32::from(sample.map_err(io::Error::other)?) / 32768.0;
        match &mut resampler {
            None => writer.push(&[sample])?,
            Some(resampler) => {
                raised.clear();
                resampler.push(slice::from_ref(&sample), &mut raised);
                writer.push(&raised)?;
            }
        }
    }
    writer.finish()
}

struct Writer {
    rate: u32,
    encoder: Encoder,
    pages: PacketWriter<'static, Vec<u8>>,
    pending: Vec<f32>,
    frame: usize,
    /// Samples that the decoder is to leave out at the beginning.
    skip: u64,
    taken: u64,
    /// The last packet, which ends the file once it is known to be the last.
    held: Option<Vec<u8>>,
    written: u64,
}

impl Writer {
    fn new(rate: u32) -> io::Result<Self> {
        let encoder = Encoder::builder(rate, Channels::Mono, Application::Voip)
            .bitrate(Bitrate::Bits(BITRATE))
            .complexity(COMPLEXITY)
            .build()
            .map_err(io::Error::other)?;
        let skip = u64::from(encoder.lookahead()) * u64::from(TICKS / rate);
        let mut pages = PacketWriter::new(Vec::new());
        pages.write_packet(head(rate, skip), SERIAL, PacketWriteEndInfo::EndPage, 0)?;
        pages.write_packet(tags(), SERIAL, PacketWriteEndInfo::EndPage, 0)?;
        let frame = (rate / PACKETS) as usize;
        Ok(Self { rate, encoder, pages, pending: Vec::new(), frame, skip, taken: 0, held: None, written: 0 })
    }

    fn push(&mut self, samples: &[f32]) -> io::Result<()> {
        self.taken += samples.len() as u64;
        self.pending.extend_from_slice(samples);
        while self.pending.len() >= self.frame {
            self.packet()?;
        }
        Ok(())
    }

    fn packet(&mut self) -> io::Result<()> {
        let mut packet = [0; LARGEST_PACKET];
        let bytes = self.encoder.encode_float(&self.pending[..self.frame], &mut packet).map_err(io::Error::other)?;
        self.pending.drain(..self.frame);
        if let Some(before) = self.held.replace(packet[..bytes].to_vec()) {
            self.written += 1;
            let until = self.written * u64::from(TICKS / PACKETS);
            self.pages.write_packet(before, SERIAL, PacketWriteEndInfo::NormalPacket, until)?;
        }
        Ok(())
    }

    fn finish(mut self) -> io::Result<Vec<u8>> {
        // What is skipped at the beginning has to come out at the end.
        let end = self.taken * u64::from(TICKS / self.rate) + self.skip;
        while self.written * u64::from(TICKS / PACKETS) + u64::from(TICKS / PACKETS) * u64::from(self.held.is_some())
            < end
        {
            self.pending.resize(self.pending.len().max(self.frame), 0.0);
            self.packet()?;
        }
        if let Some(last) = self.held.take() {
            self.pages.write_packet(last, SERIAL, PacketWriteEndInfo::EndStream, end)?;
        }
        Ok(self.pages.into_inner())
    }
}

/// The identification header (RFC 7845 §5.1).
fn head(rate: u32, skip: u64) -> Vec<u8> {
    let mut head = b"OpusHead\x01\x01".to_vec();
    head.extend(u16::try_from(skip).unwrap_or(u16::MAX).to_le_bytes());
    head.extend(rate.to_le_bytes());
    head.extend([0, 0, 0]);
    head
}

/// The comment header, without comments (RFC 7845 §5.2).
fn tags() -> Vec<u8> {
    [&b"OpusTags"[..], &8_u32.to_le_bytes(), b"Tapedeck", &0_u32.to_le_bytes()].concat()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests may panic")]
    use tokio_util::sync::CancellationToken;

    use super::{
        super::{
            decode, probe,
            sounds::{RATE, babble, file, silence, wav},
            survey,
        },
        *,
    };

    fn encoded(sound: &[f32]) -> Vec<u8> {
        let wav = std::fs::read(wav(&[sound.to_vec()]).path()).unwrap();
        to_opus(&wav[..]).unwrap()
    }

    #[test]
    fn what_comes_out_is_as_long_as_what_went_in_and_says_the_same_at_the_same_time() {
        for seconds in [0.1, 2.0, 2.507] {
            let sound = [silence(1.0), babble(seconds, 0.4), silence(1.003)].concat();
            let opus = file(&encoded(&sound));
            let length = sound.len() as f64 / f64::from(RATE);
            assert!((probe(opus.path()).unwrap().duration_seconds - length).abs() < 0.001, "{seconds}");
            let (mut decoded, mut rate) = (Vec::new(), 0);
            decode(opus.path(), &CancellationToken::new(), |block| {
                rate = block.rate as usize;
                decoded.extend_from_slice(&block.channels[0]);
                Ok(())
            })
            .unwrap();
            assert_eq!(decoded.len(), sound.len() * rate / RATE as usize, "{seconds}");
            let alike = |shift: usize| -> f32 {
                sound.iter().zip(decoded[shift..].iter().step_by(2)).map(|(a, b)| a * b).sum()
            };
            let best = (0..200).max_by(|a, b| alike(*a).total_cmp(&alike(*b))).unwrap();
            assert!(seconds < 1.0 || best < 20, "{seconds}: {best} samples late");
        }
    }

    #[test]
    fn a_piece_becomes_a_fifth_of_its_size_or_less_and_stays_speech() {
        let sound = babble(20.0, 0.4);
        let opus = encoded(&sound);
        assert!(opus.len() * 5 < sound.len() * 2, "{}", opus.len());
        let heard = survey(file(&opus).path(), &CancellationToken::new()).unwrap();
        assert!((heard.speech_seconds() - 20.0).abs() < 0.3, "{}", heard.speech_seconds());
    }

    #[test]
    fn other_rates_are_brought_to_one_that_opus_knows() {
        for rate in [11_025, 16_000, 22_050] {
            let mut wav = Vec::new();
            let spec = hound::WavSpec {
                channels: 1,
                sample_rate: rate,
                bits_per_sample: 16,
                sample_format: SampleFormat::Int,
            };
            let mut writer = hound::WavWriter::new(io::Cursor::new(&mut wav), spec).unwrap();
            (0..rate * 2).for_each(|i| writer.write_sample((f64::from(i) * 0.1).sin() as i16 * 1000).unwrap());
            writer.finalize().unwrap();
            let found = probe(file(&to_opus(&wav[..]).unwrap()).path()).unwrap();
            assert!((found.duration_seconds - 2.0).abs() < 0.01, "{rate}: {}", found.duration_seconds);
        }
    }

    #[test]
    fn what_is_no_piece_is_refused() {
        assert!(to_opus(&b"RIFF"[..]).is_err());
        let stereo = std::fs::read(wav(&[silence(0.1), silence(0.1)]).path()).unwrap();
        assert!(to_opus(&stereo[..]).is_err());
    }
}
