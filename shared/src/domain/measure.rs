//! What can be computed from the turns of a call. What the recording does not allow to say is absent, never zero.

use super::{Measured, PartyMeasured, Speaker, Transcript, Turn};

/// Same-speaker turns that are closer than this, in seconds, are one stretch of talk.
const SAME_BREATH: f64 = 1.0;
/// Speaking at once for less than this, in seconds, is how turns are handed over, not an interruption.
const HANDOVER: f64 = 0.3;
/// At most that many words in less than [`BACKCHANNEL_SECONDS`] ("mhm", "yes, okay") claim no turn.
const BACKCHANNEL_WORDS: usize = 2;
/// See [`BACKCHANNEL_WORDS`].
const BACKCHANNEL_SECONDS: f64 = 1.0;
/// A pace cannot be told from less talk than this, in seconds.
const LEAST_TALK: f64 = 1.0;
/// Longer "words", on average, are a language written without spaces, whose words cannot be counted so.
const LONGEST_WORD: usize = 16;

/// Measures a call. `duration` is the recording's length in seconds; `channels_known` says that each party was recorded on
/// a channel of its own. Then the speakers are certain and talking at once can be heard; in a mono recording the
/// speakers count only if both were told apart throughout, and interruptions cannot be told.
pub fn measure(transcript: &Transcript, duration: f64, channels_known: bool) -> Measured {
    let duration = if duration.is_finite() { duration.max(0.0) } else { 0.0 };
    let mut measured = Measured { duration_seconds: duration, ..Measured::default() };
    if !transcript.timed || duration == 0.0 {
        return measured;
    }
    let turns = in_order(&transcript.turns, duration);
    let everyone = Stretches::of(turns.iter());
    measured.silence_ratio = Some(((duration - everyone.total()) / duration).clamp(0.0, 1.0));
    measured.longest_silence_seconds = Some(everyone.longest_gap(duration));
    measured.words_per_minute = pace(turns.iter(), everyone.total());
    if !speakers_known(&turns, channels_known) {
        return measured;
    }
    let (agent, caller) = (party(&turns, Speaker::Agent), party(&turns, Speaker::Caller));
    let talk = agent.talk_seconds + caller.talk_seconds;
    measured.talk_ratio = (talk > 0.0).then(|| agent.talk_seconds / talk);
    measured.words_per_minute = pace(turns.iter(), talk);
    measured.interruptions = channels_known.then(|| interruptions(&turns));
    measured.agent = Some(agent);
    measured.caller = Some(caller);
    measured
}

/// Turns with usable times, cut to the recording, by start.
fn in_order(turns: &[Turn], duration: f64) -> Vec<Turn> {
    let cut = |t: &Turn| Turn { start: t.start.clamp(0.0, duration), end: t.end.clamp(0.0, duration), ..t.clone() };
    let usable = |t: &Turn| t.end > t.start;
    let mut turns: Vec<Turn> = turns.iter().map(cut).filter(usable).collect();
    turns.sort_by(|a, b| a.start.total_cmp(&b.start).then(a.end.total_cmp(&b.end)));
    turns
}

fn speakers_known(turns: &[Turn], channels_known: bool) -> bool {
    let heard = |speaker| turns.iter().any(|t| t.speaker == speaker);
    !turns.is_empty()
        && turns.iter().all(|t| t.speaker.is_party())
        && (channels_known || (heard(Speaker::Agent) && heard(Speaker::Caller)))
}

fn party(turns: &[Turn], speaker: Speaker) -> PartyMeasured {
    let own = || turns.iter().filter(|t| t.speaker == speaker);
    let talk_seconds = Stretches::of(own()).total();
    PartyMeasured {
        talk_seconds,
        longest_monologue_seconds: longest_monologue(turns, speaker),
        words_per_minute: pace(own(), talk_seconds),
    }
}

/// A monologue goes on over short gaps and the other's "mhm"; a turn of the other ends it.
fn longest_monologue(turns: &[Turn], speaker: Speaker) -> f64 {
    let single = turns.iter().filter(|t| t.speaker == speaker).map(length).fold(0.0, f64::max);
    let mut longest = single;
    let mut current: Option<(f64, f64)> = None;
    for turn in turns.iter().filter(|t| t.speaker == speaker || !backchannel(t)) {
        current = match current {
            _ if turn.speaker != speaker => None,
            Some((start, end)) if turn.start - end < SAME_BREATH => Some((start, end.max(turn.end))),
            _ => Some((turn.start, turn.end)),
        };
        longest = current.map_or(longest, |(start, end)| longest.max(end - start));
    }
    longest
}

/// Counts turns that begin while the other is talking. Going on after one's own short pause is no beginning.
fn interruptions(turns: &[Turn]) -> u32 {
    let claims: Vec<&Turn> = turns.iter().filter(|t| !backchannel(t)).collect();
    let interrupts = |(at, turn): (usize, &&Turn)| {
        let before = &claims[..at];
        let goes_on = before.iter().any(|t| t.speaker == turn.speaker && turn.start - t.end < SAME_BREATH);
        let talks_over = |t: &&Turn| {
            t.speaker != turn.speaker && t.start < turn.start && t.end.min(turn.end) - turn.start >= HANDOVER
        };
        !goes_on && before.iter().any(talks_over)
    };
    let count = claims.iter().enumerate().filter(|&(at, turn)| interrupts((at, turn))).count();
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn backchannel(turn: &Turn) -> bool {
    words(turn) <= BACKCHANNEL_WORDS && length(turn) < BACKCHANNEL_SECONDS
}

fn pace<'t>(turns: impl Iterator<Item = &'t Turn>, talk_seconds: f64) -> Option<f64> {
    let spoken: Vec<usize> = turns.flat_map(|t| t.text.split_whitespace()).map(|word| word.chars().count()).collect();
    let spaced = spoken.iter().sum::<usize>() <= spoken.len() * LONGEST_WORD;
    (talk_seconds >= LEAST_TALK && spaced).then(|| spoken.len() as f64 * 60.0 / talk_seconds)
}

fn words(turn: &Turn) -> usize {
    turn.text.split_whitespace().count()
}

fn length(turn: &Turn) -> f64 {
    turn.end - turn.start
}

/// Stretches of time, in order, that do not touch.
struct Stretches(Vec<(f64, f64)>);

impl Stretches {
    /// The time that these turns cover. They come by start.
    fn of<'t>(turns: impl Iterator<Item = &'t Turn>) -> Self {
        let mut stretches: Vec<(f64, f64)> = Vec::new();
        for turn in turns {
            match stretches.last_mut() {
                Some((_, end)) if turn.start <= *end => *end = end.max(turn.end),
                _ => stretches.push((turn.start, turn.end)),
            }
        }
        Self(stretches)
    }

    fn total(&self) -> f64 {
        self.0.iter().map(|(start, end)| end - start).sum()
    }

    /// The longest time between 0 and `duration` that is not covered.
    fn longest_gap(&self, duration: f64) -> f64 {
        let starts = self.0.iter().map(|&(start, _)| start).chain([duration]);
        let ends = [0.0].into_iter().chain(self.0.iter().map(|&(_, end)| end));
        starts.zip(ends).map(|(start, end)| start - end).fold(0.0, f64::max)
    }
}

#[cfg(test)]
mod tests;
