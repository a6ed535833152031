//! Hears a recording through once: how long it is, whether its channels keep the two sides of the call apart, and where
//! on each somebody speaks.

use std::path::Path;

use super::{NotAudio, Span, activity::Detector, decode, echo::own_speech};

/// A channel whose loudest sample stays below this was never connected (the softest step of telephony's codecs is 0.0003).
const DEAD: f32 = 0.001;
/// Channels that go together more than this are the same sound twice. Two people on one line stay below 0.3, even where
/// each hears the other.
const SAME: f64 = 0.9;

/// What was heard.
#[derive(Debug, Clone, PartialEq)]
pub struct Survey {
    /// Length in seconds.
    pub duration_seconds: f64,
    /// Samples per second that [`decode`] gives.
    pub rate: u32,
    /// Whether each voice is one side of the call. Otherwise there is one voice, with all that was recorded.
    pub separate: bool,
    /// What to listen to: both channels, or the one that holds everything.
    pub voices: Vec<Voice>,
}

/// A channel that is worth listening to.
#[derive(Debug, Clone, PartialEq)]
pub struct Voice {
    /// Its number in the file.
    pub channel: usize,
    /// Where somebody speaks, in order.
    pub speech: Vec<Span>,
}

impl Survey {
    /// Seconds of speech, all voices together.
    pub fn speech_seconds(&self) -> f64 {
        self.voices.iter().flat_map(|voice| &voice.speech).map(|span| span.seconds()).sum()
    }
}

/// Hears the file through.
///
/// # Errors
/// [`NotAudio`].
pub fn survey(path: &Path) -> Result<Survey, NotAudio> {
    let mut ears: Vec<Ear> = Vec::new();
    let (mut rate, mut frames, mut together) = (0, 0_u64, 0.0);
    decode(path, |block| {
        if ears.is_empty() {
            rate = block.rate;
            ears.extend(block.channels.iter().map(|_| Ear::new(rate)));
        }
        frames += block.channels.first().map_or(0, Vec::len) as u64;
        ears.iter_mut().zip(block.channels).for_each(|(ear, channel)| ear.hear(channel));
        if let [left, right] = block.channels {
            together += dot(left, right);
        }
        Ok(())
    })?;
    let (separate, chosen) = match ears.as_slice() {
        [left, right] if left.peak < DEAD && right.peak >= DEAD => (false, vec![1]),
        [left, right] if right.peak < DEAD || together > SAME * (left.power * right.power).sqrt() => (false, vec![0]),
        [_, _] => (true, vec![0, 1]),
        _ => (false, vec![0]),
    };
    let speech = |channel: usize| {
        let (own, other) = (&ears[channel].detector, ears.get(1 - channel).filter(|_| separate));
        let speech = own.speech();
        other.map_or_else(|| speech.clone(), |other| own_speech(&speech, own.levels(), other.detector.levels()))
    };
    let voices = chosen.into_iter().map(|channel| Voice { channel, speech: speech(channel) }).collect();
    Ok(Survey { duration_seconds: frames as f64 / f64::from(rate.max(1)), rate, separate, voices })
}

struct Ear {
    detector: Detector,
    peak: f32,
    power: f64,
}

impl Ear {
    fn new(rate: u32) -> Self {
        Self { detector: Detector::new(rate), peak: 0.0, power: 0.0 }
    }

    fn hear(&mut self, samples: &[f32]) {
        self.detector.hear(samples);
        self.peak = samples.iter().fold(self.peak, |peak, sample| sample.abs().max(peak));
        self.power += dot(samples, samples);
    }
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests may panic")]
    use super::{
        super::sounds::{babble, fixture, noise, silence, wav},
        *,
    };

    #[test]
    fn two_sides_of_a_call_are_kept_apart() {
        let caller = [babble(2.0, 0.3), silence(3.0)].concat();
        let agent = [silence(3.0), babble(2.0, 0.2)].concat();
        let heard = survey(wav(&[caller, agent]).path()).unwrap();
        assert!(heard.separate);
        assert_eq!(heard.voices.iter().map(|v| v.channel).collect::<Vec<_>>(), [0, 1]);
        assert!((heard.duration_seconds - 5.0).abs() < 0.001);
        assert!((heard.speech_seconds() - 4.0).abs() < 0.2, "{}", heard.speech_seconds());
    }

    #[test]
    fn the_other_party_is_not_heard_twice() {
        let caller = [silence(1.0), babble(4.0, 0.4), silence(3.0)].concat();
        let echo = [silence(0.15), caller.iter().map(|sample| sample * 0.02).collect()].concat();
        let agent = [silence(6.0), babble(2.0, 0.3)].concat();
        let agent: Vec<f32> = agent.iter().zip(&echo).map(|(own, echo)| own + echo).collect();
        let heard = survey(wav(&[caller, agent]).path()).unwrap();
        let agent = &heard.voices[1].speech;
        assert!(heard.separate && agent.len() == 1 && (agent[0].start - 6.0).abs() < 0.1, "{agent:?}");
    }

    #[test]
    fn the_same_sound_twice_is_heard_once() {
        let both = [silence(1.0), babble(2.0, 0.3)].concat();
        let quieter: Vec<f32> = both.iter().zip(noise(3.0, 0.002)).map(|(s, n)| s * 0.5 + n).collect();
        let heard = survey(wav(&[both, quieter]).path()).unwrap();
        assert_eq!((heard.separate, heard.voices.len()), (false, 1));
    }

    #[test]
    fn of_a_dead_channel_and_a_live_one_the_live_one_is_heard() {
        let live = [silence(1.0), babble(2.0, 0.3)].concat();
        let heard = survey(wav(&[silence(3.0), live]).path()).unwrap();
        assert_eq!((heard.separate, heard.voices.len(), heard.voices[0].channel), (false, 1, 1));
        let dead = survey(wav(&[silence(3.0), silence(3.0)]).path()).unwrap();
        assert_eq!((dead.voices.len(), dead.speech_seconds()), (1, 0.0));
    }

    #[test]
    fn speech_is_found_at_the_same_time_in_every_format() {
        for format in ["mp3", "m4a", "flac", "ogg"] {
            let heard = survey(&fixture(&format!("tone.{format}"))).unwrap();
            let speech = &heard.voices[0].speech;
            let (first, last) = (speech.first().unwrap(), speech.last().unwrap());
            assert!((first.start - 1.0).abs() < 0.15 && (last.end - 2.0).abs() < 0.15, "{format}: {speech:?}");
        }
    }
}
