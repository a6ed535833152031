//! How far the times of turns are from when they were said.

use shared::domain::{Speaker, Turn};

use crate::{scene::Said, script::CALLER};

/// Differences of starts and ends, seconds, without sign.
#[derive(Debug, Default)]
pub(crate) struct Offsets(Vec<f64>);

impl Offsets {
    /// Adds the starts and ends of what was said, each against the turn of the same speaker that begins, or ends, at that
    /// line. A line that a turn runs over at both ends, or that has none, is not counted: it has no time of its own.
    pub(crate) fn add(&mut self, said: &[Said], turns: &[Turn]) {
        for line in said {
            let speaker = if line.side == CALLER { Speaker::Caller } else { Speaker::Agent };
            let overlaps = |turn: &&Turn| turn.speaker == speaker && turn.start < line.end && turn.end > line.start;
            let own: Vec<&Turn> = turns.iter().filter(overlaps).collect();
            let Some((first, last)) = own.first().zip(own.last()) else { continue };
            let others = |at: f64| {
                said.iter().any(|l| l.side == line.side && l.start != line.start && l.start < at && l.end > at)
            };
            if !others(first.start) {
                self.0.push((first.start - line.start).abs());
            }
            if !others(last.end) {
                self.0.push((last.end - line.end).abs());
            }
        }
    }

    /// The difference that this share of them does not exceed; `None` without any.
    pub(crate) fn percentile(&self, share: f64) -> Option<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let at = (share * sorted.len() as f64).ceil() as usize;
        sorted.get(at.saturating_sub(1)).copied()
    }

    /// The share, in percent, that is within so many seconds.
    pub(crate) fn within(&self, seconds: f64) -> f64 {
        self.0.iter().filter(|off| **off <= seconds).count() as f64 * 100.0 / self.0.len().max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_and_ends_are_compared_with_the_speakers_own_lines() {
        let said = |side, start, end| Said { side, start, end, text: String::new() };
        let turn = |speaker, start, end| Turn { start, end, speaker, text: String::new() };
        let mut offsets = Offsets::default();
        let lines = [said(CALLER, 1.0, 3.0), said(1, 2.5, 4.0), said(CALLER, 9.0, 10.0)];
        offsets.add(&lines, &[turn(Speaker::Caller, 1.05, 3.0), turn(Speaker::Agent, 2.7, 4.0)]);
        assert_eq!(offsets.0.len(), 4);
        assert!((offsets.percentile(1.0).unwrap_or(9.0) - 0.2).abs() < 1e-9);
        assert!((offsets.within(0.1) - 75.0).abs() < 1e-9);
    }
}
