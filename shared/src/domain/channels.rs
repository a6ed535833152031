//! What the channels of a recording hold: whether they keep the two parties apart, and who is on which. It is never
//! guessed: where convention and what was heard do not carry it, the two are voices without a name.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Direction, Speaker};

/// Below this nobody is named.
const SURE_ENOUGH: f64 = 0.7;
/// How often the party that answers is the first to speak.
const ANSWERER_SPEAKS_FIRST: f64 = 0.8;
/// Somebody who speaks less than this many seconds before the other was not first.
const LEAD: f64 = 1.0;

/// How the channels of a recording relate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// One channel, or more than two mixed into one.
    Mono,
    /// Each party has a channel.
    Separate,
    /// Both channels are the same sound.
    DualMono,
    /// One channel is dead; the other may hold both parties.
    OneLive,
}

/// Where a provider puts the parties of a two-channel recording.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Convention {
    /// Who is on channel 0 and 1.
    pub speakers: [Speaker; 2],
    /// How sure that is before anything was heard, 0 to 1.
    pub certainty: f64,
}

impl Convention {
    /// Said by whoever runs this installation.
    pub const fn configured(speakers: [Speaker; 2]) -> Self {
        Self { speakers, certainty: 0.95 }
    }

    /// Written in the provider's documentation.
    pub const fn documented(speakers: [Speaker; 2]) -> Self {
        Self { speakers, certainty: 0.9 }
    }

    /// The other party first, as most do. Not enough to name anybody unless what is heard agrees.
    pub const fn usual() -> Self {
        Self { speakers: [Speaker::Caller, Speaker::Agent], certainty: 0.6 }
    }
}

/// What is heard of who is who: the party that answers speaks first, as a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Evidence {
    /// It fits the convention.
    Agrees,
    /// It does not: the channels may be swapped.
    Contradicts,
    /// Nothing can be told.
    None,
}

/// One channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Channel {
    /// Who is on it.
    pub speaker: Speaker,
    /// How loud the speech is on average, dB below full scale; absent without speech.
    pub level_dbfs: Option<f64>,
    /// Seconds of speech.
    pub speech_seconds: f64,
    /// Seconds without.
    pub silence_seconds: f64,
}

/// All channels of a recording.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Channels {
    /// How they relate.
    pub layout: Layout,
    /// Each of them, as in the file.
    pub channels: Vec<Channel>,
    /// How sure it is who is on which, 0 to 1; below 0.7 nobody is named.
    pub confidence: f64,
    /// What was heard of that.
    pub evidence: Evidence,
}

impl Channels {
    /// Names the parties. `first_words` is when somebody first speaks on each channel, in seconds.
    pub fn named(
        layout: Layout,
        mut channels: Vec<Channel>,
        convention: Convention,
        direction: Option<Direction>,
        first_words: [Option<f64>; 2],
    ) -> Self {
        let (mut confidence, mut evidence) = (0.0, Evidence::None);
        if layout == Layout::Separate {
            evidence = heard(convention.speakers, direction, first_words);
            confidence = weighed(convention.certainty, evidence);
        }
        let speakers = match layout {
            Layout::Separate if confidence >= SURE_ENOUGH => convention.speakers,
            Layout::Separate => voices(first_words),
            _ => [Speaker::Unknown; 2],
        };
        for (channel, speaker) in channels.iter_mut().zip(speakers) {
            channel.speaker = speaker;
        }
        Self { layout, channels, confidence, evidence }
    }

    /// Who is on that channel.
    pub fn speaker(&self, channel: usize) -> Speaker {
        self.channels.get(channel).map_or(Speaker::Unknown, |channel| channel.speaker)
    }
}

/// Two voices that are told apart and not known, in the order in which they are heard.
fn voices(first_words: [Option<f64>; 2]) -> [Speaker; 2] {
    let [left, right] = first_words.map(|at| at.unwrap_or(f64::INFINITY));
    if left <= right { [Speaker::Voice(1), Speaker::Voice(2)] } else { [Speaker::Voice(2), Speaker::Voice(1)] }
}

fn heard(speakers: [Speaker; 2], direction: Option<Direction>, first_words: [Option<f64>; 2]) -> Evidence {
    let answers = match direction {
        Some(Direction::Inbound) => Speaker::Agent,
        Some(Direction::Outbound) => Speaker::Caller,
        None => return Evidence::None,
    };
    let [left, right] = first_words.map(|at| at.unwrap_or(f64::INFINITY));
    let first = match () {
        () if right - left >= LEAD => speakers[0],
        () if left - right >= LEAD => speakers[1],
        () => return Evidence::None,
    };
    if first == answers { Evidence::Agrees } else { Evidence::Contradicts }
}

/// Bayes' rule: how sure, once the evidence is in.
fn weighed(certainty: f64, evidence: Evidence) -> f64 {
    let (right, wrong) = match evidence {
        Evidence::Agrees => (ANSWERER_SPEAKS_FIRST, 1.0 - ANSWERER_SPEAKS_FIRST),
        Evidence::Contradicts => (1.0 - ANSWERER_SPEAKS_FIRST, ANSWERER_SPEAKS_FIRST),
        Evidence::None => return certainty,
    };
    let (right, wrong) = (certainty * right, (1.0 - certainty) * wrong);
    (right / (right + wrong) * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::{Direction::*, Speaker::*, *};

    const SPOKEN: Channel =
        Channel { speaker: Unknown, level_dbfs: Some(-20.0), speech_seconds: 30.0, silence_seconds: 30.0 };
    const LEFT_FIRST: [Option<f64>; 2] = [Some(0.5), Some(4.0)];
    const RIGHT_FIRST: [Option<f64>; 2] = [Some(4.0), Some(0.5)];

    fn named(convention: Convention, direction: Option<Direction>, first: [Option<f64>; 2]) -> Channels {
        Channels::named(Layout::Separate, vec![SPOKEN; 2], convention, direction, first)
    }

    fn speakers(convention: Convention, direction: Option<Direction>, first: [Option<f64>; 2]) -> [Speaker; 2] {
        let named = named(convention, direction, first);
        [named.speaker(0), named.speaker(1)]
    }

    #[test]
    fn an_undocumented_convention_counts_only_where_the_one_who_answers_speaks_first() {
        assert_eq!(speakers(Convention::usual(), Some(Inbound), RIGHT_FIRST), [Caller, Agent]);
        assert_eq!(speakers(Convention::usual(), Some(Outbound), LEFT_FIRST), [Caller, Agent]);
        for (direction, first) in [(Some(Inbound), LEFT_FIRST), (Some(Outbound), RIGHT_FIRST), (None, RIGHT_FIRST)] {
            let speakers = speakers(Convention::usual(), direction, first);
            assert!(!speakers.iter().any(|speaker| speaker.is_party()), "{direction:?} {first:?}");
        }
        assert_eq!(speakers(Convention::usual(), Some(Inbound), [Some(1.0), Some(0.5)]), [Voice(2), Voice(1)]);
    }

    #[test]
    fn channels_that_seem_swapped_are_named_by_nobody_but_the_operator() {
        let documented = Convention::documented([Caller, Agent]);
        assert_eq!(speakers(documented, None, LEFT_FIRST), [Caller, Agent]);
        assert_eq!(speakers(documented, Some(Inbound), LEFT_FIRST), [Voice(1), Voice(2)]);
        let configured = Convention::configured([Agent, Caller]);
        assert_eq!(speakers(configured, Some(Inbound), RIGHT_FIRST), [Agent, Caller]);
        let (doubted, agreed) =
            (named(configured, Some(Inbound), RIGHT_FIRST), named(configured, Some(Inbound), LEFT_FIRST));
        assert_eq!((doubted.evidence, agreed.evidence), (Evidence::Contradicts, Evidence::Agrees));
        assert!(doubted.confidence < 0.95 && agreed.confidence > 0.95);
    }

    #[test]
    fn where_parties_share_a_channel_nobody_is_named() {
        for layout in [Layout::Mono, Layout::DualMono, Layout::OneLive] {
            let convention = Convention::configured([Caller, Agent]);
            let named = Channels::named(layout, vec![SPOKEN; 2], convention, Some(Inbound), RIGHT_FIRST);
            assert_eq!((named.speaker(0), named.speaker(1), named.confidence), (Unknown, Unknown, 0.0), "{layout:?}");
        }
    }
}
