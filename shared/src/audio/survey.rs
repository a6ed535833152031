//! Hears a recording through once: how long it is, whether its channels keep the two sides of the call apart, where on
//! each somebody speaks and how loud, and its waveform.

use std::path::Path;

use tokio_util::sync::CancellationToken;

use super::{
    NotAudio, Span, Waveform,
    activity::{Activity, Detector},
    decode,
    echo::own_speech,
    peaks::Peaks,
};
use crate::domain::{Channel, Channels, Convention, Direction, Layout, Speaker};

/// A channel whose loudest sample stays below this was never connected (the softest step of telephony's codecs is 0.0003).
const DEAD: f32 = 0.001;
/// Channels that go together more than this are the same sound twice. Two people on one line stay below 0.3, even where
/// each hears the other.
const SAME: f64 = 0.9;
/// A channel on which nobody speaks while the other speaks for so many seconds is dead, however it hums.
const ONE_SIDED: f64 = 20.0;
/// Less than this is no beginning of a conversation, seconds.
const WORD: f64 = 0.4;

/// What was heard.
#[derive(Debug, Clone, PartialEq)]
pub struct Survey {
    /// Length in seconds.
    pub duration_seconds: f64,
    /// Samples per second that [`decode`] gives.
    pub rate: u32,
    /// How the channels relate.
    pub layout: Layout,
    /// What to listen to: both channels, or the one that holds everything.
    pub voices: Vec<Voice>,
    /// Level, speech and silence of every channel in the file; nobody is named yet.
    pub channels: Vec<Channel>,
    /// Its waveform.
    pub waveform: Waveform,
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

    /// The channels with whoever is on them, as far as that can be told.
    pub fn named(&self, convention: Convention, direction: Option<Direction>) -> Channels {
        let first_words = |channel| {
            let voice = self.voices.iter().find(|voice| voice.channel == channel)?;
            voice.speech.iter().find(|span| span.seconds() >= WORD).map(|span| span.start)
        };
        Channels::named(self.layout, self.channels.clone(), convention, direction, [first_words(0), first_words(1)])
    }
}

/// Hears the file through, unless `stop` is cancelled meanwhile.
///
/// # Errors
/// [`NotAudio`].
pub fn survey(path: &Path, stop: &CancellationToken) -> Result<Survey, NotAudio> {
    let mut ears: Vec<Ear> = Vec::new();
    let (mut rate, mut frames, mut together) = (0, 0_u64, 0.0);
    decode(path, stop, |block| {
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
    let duration_seconds = frames as f64 / f64::from(rate.max(1));
    let mut heard: Vec<Heard> = ears.into_iter().map(Ear::finish).collect();
    let (mut relation, mut chosen) = layout(&heard, together);
    if relation == Layout::Separate {
        without_echoes(&mut heard);
        // One that held nothing but echoes has nobody on it.
        (relation, chosen) = layout(&heard, together);
    }
    Ok(Survey {
        duration_seconds,
        rate,
        layout: relation,
        channels: heard.iter().map(|heard| heard.channel(duration_seconds)).collect(),
        waveform: waveform(&heard, duration_seconds, rate),
        voices: heard
            .into_iter()
            .enumerate()
            .filter(|(channel, _)| chosen.contains(channel))
            .map(|(channel, heard)| Voice { channel, speech: heard.activity.speech })
            .collect(),
    })
}

fn without_echoes(heard: &mut [Heard]) {
    let [left, right] = heard else { return };
    let own =
        |own: &Heard, other: &Heard| own_speech(&own.activity.speech, own.activity.levels(), other.activity.levels());
    (left.activity.speech, right.activity.speech) = (own(left, right), own(right, left));
}

/// How the channels relate, and which of them to listen to.
fn layout(heard: &[Heard], together: f64) -> (Layout, &'static [usize]) {
    let [left, right] = heard else { return (Layout::Mono, &[0]) };
    let (left_says, right_says) = (left.speech_seconds(), right.speech_seconds());
    if together.abs() > SAME * (left.power * right.power).sqrt() && right.peak >= DEAD {
        return (Layout::DualMono, &[0]);
    }
    match () {
        () if right.peak < DEAD || (right_says == 0.0 && left_says >= ONE_SIDED) => (Layout::OneLive, &[0]),
        () if left.peak < DEAD || (left_says == 0.0 && right_says >= ONE_SIDED) => (Layout::OneLive, &[1]),
        () => (Layout::Separate, &[0, 1]),
    }
}

fn waveform(heard: &[Heard], duration_seconds: f64, rate: u32) -> Waveform {
    let samples = heard.first().map_or(0, |heard| heard.samples_per_point);
    let channels = heard.iter().map(|heard| heard.points.clone()).collect();
    Waveform { duration_seconds, seconds_per_point: samples as f64 / f64::from(rate.max(1)), channels }
}

/// Listens to a channel.
struct Ear {
    detector: Detector,
    peaks: Peaks,
    peak: f32,
    power: f64,
}

/// What was heard on it.
struct Heard {
    activity: Activity,
    samples_per_point: usize,
    points: Vec<u8>,
    peak: f32,
    power: f64,
}

impl Ear {
    fn new(rate: u32) -> Self {
        Self { detector: Detector::new(rate), peaks: Peaks::new(rate), peak: 0.0, power: 0.0 }
    }

    fn hear(&mut self, samples: &[f32]) {
        self.detector.hear(samples);
        self.peaks.hear(samples);
        self.peak = samples.iter().fold(self.peak, |peak, sample| sample.abs().max(peak));
        self.power += dot(samples, samples);
    }

    fn finish(self) -> Heard {
        let (samples_per_point, points) = self.peaks.finish();
        Heard { activity: self.detector.finish(), samples_per_point, points, peak: self.peak, power: self.power }
    }
}

impl Heard {
    fn speech_seconds(&self) -> f64 {
        self.activity.speech.iter().map(|span| span.seconds()).sum()
    }

    fn channel(&self, duration: f64) -> Channel {
        let rounded = |number: f64| (number * 100.0).round() / 100.0;
        let speech = self.speech_seconds();
        Channel {
            speaker: Speaker::Unknown,
            level_dbfs: self.activity.level.map(rounded),
            speech_seconds: rounded(speech),
            silence_seconds: rounded((duration - speech).max(0.0)),
        }
    }
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    f64::from(a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests may panic")]
    use super::{
        super::sounds::{babble, fixture, noise, silence, tone, wav},
        *,
    };

    fn survey(path: &Path) -> Result<Survey, NotAudio> {
        super::survey(path, &CancellationToken::new())
    }

    #[test]
    fn two_sides_of_a_call_are_kept_apart() {
        let caller = [babble(2.0, 0.3), silence(3.0)].concat();
        let agent = [silence(3.0), babble(2.0, 0.2)].concat();
        let heard = survey(wav(&[caller, agent]).path()).unwrap();
        assert_eq!(heard.layout, Layout::Separate);
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
        assert!(agent.len() == 1 && (agent[0].start - 6.0).abs() < 0.1, "{agent:?}");
    }

    #[test]
    fn the_same_sound_twice_is_heard_once() {
        let both = [silence(1.0), babble(2.0, 0.3)].concat();
        let quieter: Vec<f32> = both.iter().zip(noise(3.0, 0.002)).map(|(s, n)| s * 0.5 + n).collect();
        let heard = survey(wav(&[both, quieter]).path()).unwrap();
        assert_eq!((heard.layout, heard.voices.len()), (Layout::DualMono, 1));
    }

    #[test]
    fn of_a_dead_channel_and_a_live_one_the_live_one_is_heard() {
        let live = [silence(1.0), babble(2.0, 0.3)].concat();
        let heard = survey(wav(&[silence(3.0), live]).path()).unwrap();
        assert_eq!((heard.layout, heard.voices.len(), heard.voices[0].channel), (Layout::OneLive, 1, 1));
        let dead = survey(wav(&[silence(3.0), silence(3.0)]).path()).unwrap();
        assert_eq!((dead.voices.len(), dead.speech_seconds()), (1, 0.0));
    }

    #[test]
    fn speech_is_found_at_the_same_time_in_every_format() {
        for format in ["mp3", "m4a", "flac", "ogg", "opus"] {
            let heard = survey(&fixture(format)).unwrap();
            let speech = &heard.voices[0].speech;
            let (first, last) = (speech.first().unwrap(), speech.last().unwrap());
            assert!((first.start - 1.0).abs() < 0.15 && (last.end - 2.0).abs() < 0.15, "{format}: {speech:?}");
        }
    }

    #[test]
    fn a_channel_that_only_hums_is_dead() {
        let live = [silence(1.0), babble(25.0, 0.3)].concat();
        let hum = tone(26.0, &[50.0], 0.05);
        for (channels, alive) in [([hum.clone(), live.clone()], 1), ([live, hum], 0)] {
            let heard = survey(wav(&channels).path()).unwrap();
            assert_eq!((heard.layout, heard.voices.len()), (Layout::OneLive, 1));
            assert_eq!(heard.voices[0].channel, alive);
        }
    }

    #[test]
    fn each_channel_has_its_level_speech_silence_and_waveform() {
        let caller = [babble(2.0, 0.5), silence(3.0)].concat();
        let agent = [silence(4.0), babble(1.0, 0.05)].concat();
        let heard = survey(wav(&[caller, agent]).path()).unwrap();
        let [caller, agent] = heard.channels.as_slice() else { panic!("two channels") };
        let quieter = caller.level_dbfs.unwrap() - agent.level_dbfs.unwrap();
        assert!((quieter - 20.0).abs() < 4.0, "{quieter}");
        assert!((caller.speech_seconds - 2.0).abs() < 0.15 && (agent.silence_seconds - 4.0).abs() < 0.15, "{heard:?}");
        let [left, right] = heard.waveform.channels.as_slice() else { panic!("two channels") };
        let at = |seconds: f64| (seconds / heard.waveform.seconds_per_point) as usize;
        assert_eq!(left[at(2.5)..].iter().max(), Some(&0));
        assert!(left[..at(2.0)].iter().max() > Some(&120) && right[at(4.0)..].iter().max() > Some(&10));
    }
}
