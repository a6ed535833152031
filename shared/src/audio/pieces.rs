//! Writes the pieces as WAV files (PCM16, mono, the rate of [`decode`]).

use std::{
    fs::File,
    io::{self, BufWriter, Cursor},
    path::{Path, PathBuf},
};

use hound::{SampleFormat, WavReader, WavSpec, WavWriter};
use tokio_util::sync::CancellationToken;

use super::{NotAudio, Piece, decode};

/// Writes each piece of the recording at `path` to a file in `dir`, unless `stop` is cancelled meanwhile; the files come back
/// in the order of the pieces.
///
/// # Errors
/// [`NotAudio`]; a full disk is [`NotAudio::Io`].
pub fn write_pieces(
    path: &Path,
    pieces: &[Piece],
    dir: &Path,
    stop: &CancellationToken,
) -> Result<Vec<PathBuf>, NotAudio> {
    let mut tracks: Vec<Track> = Vec::new();
    let paths: Vec<_> = (0..pieces.len()).map(|i| dir.join(format!("{i}.wav"))).collect();
    let mut position = 0;
    decode(path, stop, |block| {
        if tracks.is_empty() {
            let track = |channel| Track::new(channel, pieces, &paths, block.rate);
            tracks.extend((0..block.channels.len()).map(track));
        }
        for (track, samples) in tracks.iter_mut().zip(block.channels) {
            track.hear(position, samples)?;
        }
        position += block.channels.first().map_or(0, Vec::len);
        Ok(())
    })?;
    for track in tracks {
        track.finish()?;
    }
    Ok(paths)
}

/// Half of a piece, with its WAV file.
pub type Half = (Piece, Vec<u8>);

/// A piece that a server found too long, in two; `None` when it is too short to be cut.
///
/// # Errors
/// When `wav` is not what [`write_pieces`] wrote for the piece.
pub fn halve(piece: &Piece, wav: &[u8]) -> io::Result<Option<[Half; 2]>> {
    let Some([first, second]) = piece.halves() else { return Ok(None) };
    let mut reader = WavReader::new(wav).map_err(io::Error::other)?;
    let spec = reader.spec();
    let samples: Result<Vec<i16>, _> = reader.samples().collect();
    let samples = samples.map_err(io::Error::other)?;
    let middle = (first.seconds() * f64::from(spec.sample_rate)).round() as usize;
    let (left, right) = samples.split_at(middle.min(samples.len()));
    Ok(Some([(first, to_wav(left, spec)?), (second, to_wav(right, spec)?)]))
}

fn to_wav(samples: &[i16], spec: WavSpec) -> io::Result<Vec<u8>> {
    let mut file = Cursor::new(Vec::with_capacity(samples.len() * 2 + 64));
    let mut writer = WavWriter::new(&mut file, spec).map_err(io::Error::other)?;
    let mut fast = writer.get_i16_writer(u32::try_from(samples.len()).map_err(io::Error::other)?);
    samples.iter().for_each(|sample| fast.write_sample(*sample));
    fast.flush().map_err(io::Error::other)?;
    writer.finalize().map_err(io::Error::other)?;
    Ok(file.into_inner())
}

/// Writes the pieces of one channel, one after the other.
struct Track {
    spec: WavSpec,
    /// What is still to be written, in reverse: first and last sample, file, whether the file ends there.
    todo: Vec<(usize, usize, PathBuf, bool)>,
    open: Option<WavWriter<BufWriter<File>>>,
}

impl Track {
    fn new(channel: usize, pieces: &[Piece], paths: &[PathBuf], rate: u32) -> Self {
        let at = |seconds: f64| (seconds * f64::from(rate)).round() as usize;
        let mut todo = Vec::new();
        for (piece, path) in pieces.iter().zip(paths).filter(|(piece, _)| piece.channel == channel) {
            let last = piece.stretches.len().saturating_sub(1);
            let stretches = piece.stretches.iter().enumerate();
            todo.extend(stretches.map(|(i, s)| (at(s.start), at(s.end), path.clone(), i == last)));
        }
        todo.reverse();
        let spec = WavSpec { channels: 1, sample_rate: rate, bits_per_sample: 16, sample_format: SampleFormat::Int };
        Self { spec, todo, open: None }
    }

    /// Takes the next samples, the first of which is number `position`.
    fn hear(&mut self, position: usize, samples: &[f32]) -> io::Result<()> {
        let end = position + samples.len();
        while let Some((from, to, path, last)) = self.todo.last() {
            if *from >= end {
                break;
            }
            let writer = match &mut self.open {
                Some(writer) => writer,
                none => none.insert(WavWriter::create(path, self.spec).map_err(io::Error::other)?),
            };
            let first = from.max(&position) - position;
            for sample in &samples[first.min(samples.len())..(*to).min(end) - position] {
                let loud = (sample * 32768.0).round().clamp(-32768.0, 32767.0);
                writer.write_sample(loud as i16).map_err(io::Error::other)?;
            }
            if *to > end {
                break;
            }
            let last = *last;
            self.todo.pop();
            if last {
                self.close()?;
            }
        }
        Ok(())
    }

    fn close(&mut self) -> io::Result<()> {
        self.open.take().map_or(Ok(()), |writer| writer.finalize().map_err(io::Error::other))
    }

    /// The last piece may end a rounding error after the last sample.
    fn finish(mut self) -> io::Result<()> {
        self.close()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests may panic")]
    use super::{
        super::{
            Grain, Limits, cut,
            sounds::{RATE, babble, silence, wav},
            survey,
        },
        *,
    };

    const LIMITS: Limits = Limits { seconds: 1300.0, bytes: 24 << 20 };

    fn read(bytes: &[u8]) -> Vec<i16> {
        WavReader::new(bytes).unwrap().samples().map(Result::unwrap).collect()
    }

    #[test]
    fn a_piece_holds_the_samples_of_its_stretches() {
        let caller = [silence(5.0), babble(3.0, 0.4), silence(20.0), babble(2.0, 0.4), silence(4.0)].concat();
        let agent = [silence(12.0), babble(6.0, 0.2), silence(16.0)].concat();
        let recording = wav(&[caller.clone(), agent]);
        let pieces = cut(&survey(recording.path(), &CancellationToken::new()).unwrap(), Grain::Long, LIMITS);
        let dir = tempfile::tempdir().unwrap();
        let paths = write_pieces(recording.path(), &pieces, dir.path(), &CancellationToken::new()).unwrap();
        assert_eq!((pieces.len(), pieces[0].stretches.len()), (2, 2));
        for (piece, path) in pieces.iter().zip(&paths) {
            let samples = read(&std::fs::read(path).unwrap());
            assert!((samples.len() as f64 / f64::from(RATE) - piece.seconds()).abs() < 0.001);
        }
        let samples = read(&std::fs::read(&paths[0]).unwrap());
        let second = (pieces[0].stretches[1].start * f64::from(RATE)).round() as usize;
        let within = samples.len() - (pieces[0].stretches[0].seconds() * f64::from(RATE)).round() as usize;
        for (at, sample) in samples[samples.len() - within..].iter().enumerate() {
            assert!((f32::from(*sample) - caller[second + at] * 32767.0).abs() < 3.0);
        }
    }

    #[test]
    fn halves_of_a_piece_are_its_samples_in_two() {
        let recording = wav(&[[babble(4.0, 0.4), silence(0.8), babble(4.0, 0.4)].concat()]);
        let pieces = cut(&survey(recording.path(), &CancellationToken::new()).unwrap(), Grain::Long, LIMITS);
        let dir = tempfile::tempdir().unwrap();
        let whole =
            std::fs::read(&write_pieces(recording.path(), &pieces, dir.path(), &CancellationToken::new()).unwrap()[0])
                .unwrap();
        let [(first, left), (_, right)] = halve(&pieces[0], &whole).unwrap().unwrap();
        assert_eq!([read(&left), read(&right)].concat(), read(&whole));
        assert!((first.seconds() - 4.4).abs() < 0.1, "{}", first.seconds());
    }
}
