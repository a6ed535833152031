//! Word errors: the fewest words to change, drop and add that make what was heard out of what was said.

use crate::words::Word;

/// A word that was said, a word that was heard, or one for the other.
pub(crate) type Pair = (Option<usize>, Option<usize>);

/// Counted errors.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Errors {
    pub(crate) substituted: usize,
    pub(crate) dropped: usize,
    pub(crate) added: usize,
    /// Words that were said.
    pub(crate) said: usize,
}

impl Errors {
    /// Of what was heard against what was said.
    pub(crate) fn between(said: &[Word], heard: &[Word]) -> Self {
        let mut errors = Self { said: said.len(), ..Self::default() };
        for pair in aligned(said, heard) {
            match pair {
                (Some(a), Some(b)) => errors.substituted += usize::from(said[a].text != heard[b].text),
                (Some(_), None) => errors.dropped += 1,
                (None, _) => errors.added += 1,
            }
        }
        errors
    }

    /// The word error rate, in percent.
    pub(crate) fn rate(self) -> f64 {
        (self.substituted + self.dropped + self.added) as f64 * 100.0 / self.said.max(1) as f64
    }
}

impl std::ops::AddAssign for Errors {
    fn add_assign(&mut self, other: Self) {
        self.substituted += other.substituted;
        self.dropped += other.dropped;
        self.added += other.added;
        self.said += other.said;
    }
}

/// The words of both, in order, each with its counterpart where it has one.
pub(crate) fn aligned(said: &[Word], heard: &[Word]) -> Vec<Pair> {
    let width = heard.len() + 1;
    let mut costs = vec![0_usize; (said.len() + 1) * width];
    let change = |a: usize, b: usize| usize::from(said[a].text != heard[b].text);
    for a in 0..=said.len() {
        for b in 0..width {
            costs[a * width + b] = match (a, b) {
                (0, b) => b,
                (a, 0) => a,
                (a, b) => {
                    let changed = costs[(a - 1) * width + b - 1] + change(a - 1, b - 1);
                    changed.min(costs[(a - 1) * width + b] + 1).min(costs[a * width + b - 1] + 1)
                }
            };
        }
    }
    let (mut a, mut b) = (said.len(), heard.len());
    let mut pairs = Vec::with_capacity(a.max(b));
    while a > 0 || b > 0 {
        let cost = costs[a * width + b];
        if a > 0 && b > 0 && cost == costs[(a - 1) * width + b - 1] + change(a - 1, b - 1) {
            (a, b) = (a - 1, b - 1);
            pairs.push((Some(a), Some(b)));
        } else if a > 0 && cost == costs[(a - 1) * width + b] + 1 {
            a -= 1;
            pairs.push((Some(a), None));
        } else {
            b -= 1;
            pairs.push((None, Some(b)));
        }
    }
    pairs.reverse();
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::words;

    #[test]
    fn changed_dropped_and_added_words_count() {
        let said = words("the tree fell on the roof", 0, 0.0, 6.0);
        let heard = words("a tree fell on roof", 0, 0.0, 6.0);
        let errors = Errors::between(&said, &heard);
        assert_eq!(errors, Errors { substituted: 1, dropped: 1, added: 0, said: 6 });
        assert!((errors.rate() - 33.33).abs() < 0.01);
        assert_eq!(Errors::between(&heard, &said).added, 1);
        assert_eq!(Errors::between(&said, &[]).dropped, 6);
    }
}
