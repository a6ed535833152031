//! Opus, which Symphonia takes out of Ogg but does not decode.

use ropus::{DecodeMode, Decoder};
use symphonia::core::{
    audio::{
        AsGenericAudioBufferRef, Audio, AudioBuffer, AudioMut, AudioSpec, Channels, GenericAudioBufferRef, layouts,
    },
    codecs::{
        CodecInfo,
        audio::{AudioCodecParameters, AudioDecoder, FinalizeResult, well_known::CODEC_ID_OPUS},
    },
    errors::{Error, Result},
    packet::PacketRef,
};

/// Opus decodes at whatever rate one likes; more than this is of no use to a speech model.
pub(super) const RATE: u32 = 16_000;
/// Samples of the longest packet, 120 ms.
const LONGEST: usize = RATE as usize * 120 / 1000;
/// What the packets' times count, whatever the rate.
pub(super) const TICKS: u32 = 48_000;

const INFO: CodecInfo = CodecInfo { short_name: "opus", long_name: "Opus", profiles: &[] };

/// Decodes packets of one or two channels.
pub(super) struct OpusDecoder {
    params: AudioCodecParameters,
    decoder: Decoder,
    samples: AudioBuffer<f32>,
    interleaved: Vec<f32>,
}

impl OpusDecoder {
    /// A decoder for this track; `None` when it is not Opus.
    pub(super) fn of(params: &AudioCodecParameters) -> Option<Result<Self>> {
        (params.codec == CODEC_ID_OPUS).then(|| Self::new(params))
    }

    fn new(params: &AudioCodecParameters) -> Result<Self> {
        let (channels, layout) = match params.channels.as_ref().map(Channels::count) {
            Some(1) => (ropus::Channels::Mono, layouts::CHANNEL_LAYOUT_MONO),
            Some(2) => (ropus::Channels::Stereo, layouts::CHANNEL_LAYOUT_STEREO),
            _ => return Err(Error::Unsupported("opus with other than one or two channels")),
        };
        let decoder = Decoder::new(RATE, channels).map_err(|_| Error::Unsupported("opus decoder"))?;
        let samples = AudioBuffer::new(AudioSpec::new(RATE, layout), LONGEST);
        let interleaved = vec![0.0; LONGEST * channels.count()];
        Ok(Self { params: params.clone(), decoder, samples, interleaved })
    }
}

impl AudioDecoder for OpusDecoder {
    fn reset(&mut self) {
        self.samples.clear();
    }

    fn codec_info(&self) -> &CodecInfo {
        &INFO
    }

    fn codec_params(&self) -> &AudioCodecParameters {
        &self.params
    }

    fn decode_ref(&mut self, packet: &PacketRef<'_>) -> Result<GenericAudioBufferRef<'_>> {
        self.samples.clear();
        if packet.data.is_empty() {
            return Err(Error::DecodeError("opus: empty packet"));
        }
        let frames = self.decoder.decode_float(packet.data, &mut self.interleaved, DecodeMode::Normal);
        let frames = frames.map_err(|_| Error::DecodeError("opus: damaged packet"))?.min(LONGEST);
        let channels = self.samples.num_planes();
        self.samples.resize_with_silence(frames);
        self.samples.copy_from_slice_interleaved(&&self.interleaved[..frames * channels]);
        let trimmed = |ticks: u64| usize::try_from(ticks * u64::from(RATE) / u64::from(TICKS)).unwrap_or(frames);
        self.samples.trim(trimmed(packet.trim_start.get()).min(frames), trimmed(packet.trim_end.get()).min(frames));
        Ok(self.samples.as_generic_audio_buffer_ref())
    }

    fn finalize(&mut self) -> FinalizeResult {
        FinalizeResult::default()
    }

    fn last_decoded(&self) -> GenericAudioBufferRef<'_> {
        self.samples.as_generic_audio_buffer_ref()
    }
}
