//! The sandbox's own calls: two-voice dialogues and what is said in them, made by `samples/make.py`.
//! To add one: a dialogue there, a line in `SAMPLES` here.

use std::sync::LazyLock;

use bytes::Bytes;
use serde::Deserialize;

const SAMPLES: [(&[u8], &str); 4] = [
    (include_bytes!("../samples/billing.wav"), include_str!("../samples/billing.json")),
    (include_bytes!("../samples/sales.wav"), include_str!("../samples/sales.json")),
    (include_bytes!("../samples/support.wav"), include_str!("../samples/support.json")),
    (include_bytes!("../samples/appointment.wav"), include_str!("../samples/appointment.json")),
];

/// A sample call: PCM16 at 8 kHz, channel 0 the caller, channel 1 the agent.
#[derive(Clone, Debug, Deserialize)]
pub struct Sample {
    /// What it is asked for by, such as `billing`.
    pub name: String,
    /// What happens in it.
    pub title: String,
    /// `incoming` or `outgoing`, in CloudTalk's words.
    pub direction: String,
    /// The campaign it belongs to.
    pub campaign: String,
    /// Who works for the company.
    pub agent: Person,
    /// Who is the customer.
    pub contact: Person,
    /// The company's number, E.164.
    pub internal_number: String,
    /// Seconds.
    pub duration: f64,
    /// What is said, by start.
    pub turns: Vec<Turn>,
    /// The WAV file.
    #[serde(skip)]
    pub wav: Bytes,
}

/// One of the two voices.
#[derive(Clone, Debug, Deserialize)]
pub struct Person {
    /// CloudTalk's id.
    pub id: u64,
    /// First and last name.
    pub name: String,
    /// E.164; agents have none.
    #[serde(default)]
    pub phone: String,
}

/// What one voice says without a break for the other.
#[derive(Clone, Debug, Deserialize)]
pub struct Turn {
    /// 0 the caller, 1 the agent.
    pub channel: usize,
    /// Seconds from the start of the call.
    pub start: f64,
    /// Seconds from the start of the call.
    pub end: f64,
    /// What is said.
    pub text: String,
    /// The same, sentence by sentence.
    pub sentences: Vec<Sentence>,
}

/// One sentence of a turn.
#[derive(Clone, Debug, Deserialize)]
pub struct Sentence {
    /// Seconds from the start of the call.
    pub start: f64,
    /// Seconds from the start of the call.
    pub end: f64,
    /// What is said.
    pub text: String,
}

/// All samples.
pub fn all() -> &'static [Sample] {
    static ALL: LazyLock<Vec<Sample>> = LazyLock::new(|| {
        let read = |(wav, about): (&'static [u8], &str)| {
            let sample: Sample = serde_json::from_str(about).expect("the samples ship with the crate and are tested");
            Sample { wav: Bytes::from_static(wav), ..sample }
        };
        SAMPLES.into_iter().map(read).collect()
    });
    &ALL
}

/// The sample of this name.
#[must_use]
pub fn named(name: &str) -> Option<&'static Sample> {
    all().iter().find(|sample| sample.name == name)
}

impl Sample {
    /// The two channels as samples, caller first.
    #[must_use]
    pub fn channels(&self) -> [Vec<i16>; 2] {
        let mut reader = hound::WavReader::new(&self.wav[..]).expect("the samples ship with the crate and are tested");
        let mut channels = [Vec::new(), Vec::new()];
        for (at, sample) in reader.samples::<i16>().enumerate() {
            channels[at % 2].push(sample.expect("the samples ship with the crate and are tested"));
        }
        channels
    }

    /// Both voices mixed into one channel, as CloudTalk really records.
    #[must_use]
    pub fn mono_wav(&self) -> Bytes {
        let [caller, agent] = self.channels();
        let mixed = caller.iter().zip(&agent).map(|(caller, agent)| caller / 2 + agent / 2);
        wav(mixed)
    }

    /// One voice alone: 0 the caller, 1 the agent.
    ///
    /// # Panics
    /// On any other channel.
    #[must_use]
    pub fn channel_wav(&self, channel: usize) -> Bytes {
        wav(self.channels()[channel].iter().copied())
    }
}

/// A WAV of these samples: PCM16, mono, 8 kHz.
pub fn wav(samples: impl IntoIterator<Item = i16>) -> Bytes {
    let spec =
        hound::WavSpec { channels: 1, sample_rate: 8000, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    let mut file = std::io::Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut file, spec).expect("writing to memory cannot fail");
    for sample in samples {
        writer.write_sample(sample).expect("writing to memory cannot fail");
    }
    writer.finalize().expect("writing to memory cannot fail");
    file.into_inner().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The loudest sample of a stretch of seconds.
    fn loudest(samples: &[i16], from: f64, to: f64) -> u16 {
        let at = |seconds: f64| ((seconds * 8000.0).round() as usize).min(samples.len());
        samples[at(from)..at(to)].iter().map(|sample| sample.unsigned_abs()).max().unwrap_or(0)
    }

    #[test]
    fn voices_are_heard_in_their_turns_and_nowhere_else() {
        for sample in all() {
            for (channel, samples) in sample.channels().iter().enumerate() {
                let mut before = 0.0;
                for turn in sample.turns.iter().filter(|turn| turn.channel == channel) {
                    assert_eq!(loudest(samples, before, turn.start), 0, "{} before {}", sample.name, turn.start);
                    assert!(loudest(samples, turn.start, turn.end) > 3000, "{} at {}", sample.name, turn.start);
                    before = turn.end;
                }
                assert_eq!(loudest(samples, before, sample.duration), 0, "{} at the end", sample.name);
            }
        }
    }

    #[test]
    fn one_sample_has_an_overlap_and_sentences_make_up_the_turns() {
        let overlaps = |sample: &Sample| sample.turns.windows(2).any(|pair| pair[1].start < pair[0].end);
        assert_eq!(all().iter().filter(|sample| overlaps(sample)).count(), 1);
        for turn in all().iter().flat_map(|sample| &sample.turns) {
            let sentences: Vec<_> = turn.sentences.iter().map(|sentence| sentence.text.as_str()).collect();
            assert_eq!(sentences.join(" "), turn.text);
        }
    }
}
