//! Opens a file and hands out its packets, decoded or not.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::Path,
};

use symphonia::{
    core::{
        audio::GenericAudioBufferRef,
        codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions, well_known::CODEC_ID_OPUS},
        errors::Error,
        formats::{FormatReader, Track, TrackType},
        io::{MediaSource, MediaSourceStream, ReadOnlySource},
        packet::Packet,
        units::Duration,
    },
    default::formats::{FlacReader, IsoMp4Reader, MpaReader, OggReader, WavReader},
};

use super::{
    NotAudio,
    opus::{self, OpusDecoder},
    sniff::{Format, HEAD, sniff},
    wav,
};

/// Packets in a row that may be damaged before a file is given up.
const MOST_DAMAGED: u32 = 200;

/// An open file.
pub(super) struct Source {
    pub(super) format: Format,
    reader: Box<dyn FormatReader>,
    decoder: Box<dyn AudioDecoder>,
    track: Track,
    /// Of Opus: ticks at the beginning that are no sound. The Ogg reader knows them and leaves them in.
    lead: u64,
    damaged: u32,
}

impl Source {
    /// Opens by magic bytes; nothing is guessed from the name.
    pub(super) fn open(path: &Path) -> Result<Self, NotAudio> {
        let mut file = File::open(path)?;
        let mut head = Vec::with_capacity(HEAD);
        Read::by_ref(&mut file).take(HEAD as u64).read_to_end(&mut head)?;
        let format = sniff(&head)?;
        file.seek(SeekFrom::Start(0))?;
        let reader = reader(format, file, &head)?;
        let track = reader.default_track(TrackType::Audio).cloned();
        let track = track.ok_or_else(|| NotAudio::Undecodable("no audio track".into()))?;
        let params = track.codec_params.as_ref().and_then(|p| p.audio());
        let params = params.ok_or_else(|| NotAudio::Undecodable("unknown codec".into()))?;
        let decoder = decoder(params).map_err(broken)?;
        let lead = track.delay.filter(|_| params.codec == CODEC_ID_OPUS).unwrap_or(0).into();
        Ok(Self { format, reader, decoder, track, lead, damaged: 0 })
    }

    /// The track that is heard.
    pub(super) fn track(&self) -> &Track {
        &self.track
    }

    /// Seconds that `ticks` of a packet's duration are; `rate` is that of its samples.
    pub(super) fn seconds(&self, ticks: u64, rate: u32) -> f64 {
        match self.track.time_base {
            Some(base) => ticks as f64 * f64::from(base.numer.get()) / f64::from(base.denom.get()),
            None if self.is_opus() => ticks as f64 / f64::from(opus::TICKS),
            None => ticks as f64 / f64::from(rate.max(1)),
        }
    }

    /// Whether the packets count other samples than the decoder gives.
    pub(super) fn is_opus(&self) -> bool {
        self.decoder.codec_params().codec == CODEC_ID_OPUS
    }

    /// The next packet of the track; `None` at the end.
    pub(super) fn next_packet(&mut self) -> Result<Option<Packet>, NotAudio> {
        loop {
            match self.reader.next_packet() {
                Ok(Some(packet)) if packet.track_id == self.track.id => return Ok(Some(self.without_lead(packet))),
                Ok(Some(_)) => {}
                // A chained Ogg stream starts anew: what follows is another recording.
                Ok(None) | Err(Error::ResetRequired) => return Ok(None),
                Err(Error::IoError(e)) if e.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
                Err(Error::DecodeError(_)) if self.damaged < MOST_DAMAGED => self.damaged += 1,
                Err(e) => return Err(broken(e)),
            }
        }
    }

    fn without_lead(&mut self, mut packet: Packet) -> Packet {
        self.lead = self.lead.saturating_sub(packet.trim_start.get());
        let more = self.lead.min(packet.dur.get());
        self.lead -= more;
        packet.trim_start = Duration::new(packet.trim_start.get() + more);
        packet.dur = Duration::new(packet.dur.get() - more);
        packet
    }

    /// Decodes a packet; `None` when it is damaged, which a lost frame or two may be.
    pub(super) fn decode(&mut self, packet: &Packet) -> Result<Option<GenericAudioBufferRef<'_>>, NotAudio> {
        match self.decoder.decode(packet) {
            Ok(samples) => {
                self.damaged = 0;
                Ok(Some(samples))
            }
            Err(Error::DecodeError(_) | Error::IoError(_)) if self.damaged < MOST_DAMAGED => {
                self.damaged += 1;
                Ok(None)
            }
            Err(e) => Err(broken(e)),
        }
    }
}

fn reader(format: Format, mut file: File, head: &[u8]) -> Result<Box<dyn FormatReader>, NotAudio> {
    let length = file.metadata()?.len();
    if format == Format::Mp3 {
        file.seek(SeekFrom::Start(after_id3(head)))?;
    }
    // A source that cannot seek keeps the MP3 reader from guessing the length, which would cut off what exceeds the guess.
    let source: Box<dyn MediaSource> = match format {
        Format::Wav => Box::new(ReadOnlySource::new(wav::normalized(file, length)?)),
        Format::M4a => Box::new(file),
        Format::Mp3 | Format::Ogg | Format::Flac => Box::new(ReadOnlySource::new(file)),
    };
    let stream = MediaSourceStream::new(source, Default::default());
    let options = Default::default();
    Ok(match format {
        Format::Wav => Box::new(WavReader::try_new(stream, options).map_err(broken)?),
        Format::Mp3 => Box::new(MpaReader::try_new(stream, options).map_err(broken)?),
        Format::Ogg => Box::new(OggReader::try_new(stream, options).map_err(broken)?),
        Format::Flac => Box::new(FlacReader::try_new(stream, options).map_err(broken)?),
        Format::M4a => Box::new(IsoMp4Reader::try_new(stream, options).map_err(broken)?),
    })
}

fn decoder(params: &AudioCodecParameters) -> symphonia::core::errors::Result<Box<dyn AudioDecoder>> {
    match OpusDecoder::of(params) {
        Some(opus) => Ok(Box::new(opus?)),
        None => symphonia::default::get_codecs().make_audio_decoder(params, &AudioDecoderOptions::default()),
    }
}

/// Where the audio starts in an MP3 file: after its ID3v2 tag, which may hold pictures.
fn after_id3(head: &[u8]) -> u64 {
    let [b'I', b'D', b'3', _, _, flags, a, b, c, d, ..] = head else { return 0 };
    let size = [a, b, c, d].iter().fold(0_u64, |size, byte| size << 7 | u64::from(**byte & 0x7f));
    let footer = if flags & 0x10 != 0 { 10 } else { 0 };
    10 + size + footer
}

fn broken(error: Error) -> NotAudio {
    match error {
        Error::IoError(e) if e.kind() != std::io::ErrorKind::UnexpectedEof => NotAudio::Io(e),
        e => NotAudio::Undecodable(e.to_string()),
    }
}
