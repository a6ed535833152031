//! Opens a file and hands out its packets, decoded or not.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::Path,
};

use symphonia::{
    core::{
        audio::GenericAudioBufferRef,
        codecs::audio::{AudioDecoder, AudioDecoderOptions},
        errors::Error,
        formats::{FormatReader, Track, TrackType},
        io::{MediaSource, MediaSourceStream, ReadOnlySource},
        packet::Packet,
    },
    default::formats::{FlacReader, IsoMp4Reader, MpaReader, OggReader, WavReader},
};

use super::{
    NotAudio,
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
        let decoder = symphonia::default::get_codecs()
            .make_audio_decoder(params, &AudioDecoderOptions::default())
            .map_err(broken)?;
        Ok(Self { format, reader, decoder, track, damaged: 0 })
    }

    /// The track that is heard.
    pub(super) fn track(&self) -> &Track {
        &self.track
    }

    /// The next packet of the track; `None` at the end.
    pub(super) fn next_packet(&mut self) -> Result<Option<Packet>, NotAudio> {
        loop {
            match self.reader.next_packet() {
                Ok(Some(packet)) if packet.track_id == self.track.id => return Ok(Some(packet)),
                Ok(Some(_)) => {}
                // A chained Ogg stream starts anew: what follows is another recording.
                Ok(None) | Err(Error::ResetRequired) => return Ok(None),
                Err(Error::IoError(e)) if e.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
                Err(Error::DecodeError(_)) if self.damaged < MOST_DAMAGED => self.damaged += 1,
                Err(e) => return Err(broken(e)),
            }
        }
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
