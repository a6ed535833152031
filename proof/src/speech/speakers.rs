//! Speaker errors: words that stand in the transcript as said by the one, and were said by the other.

use crate::{errors::aligned, words::Word};

/// A word of the other is one that was said about then, seconds.
const ABOUT_THEN: f64 = 1.5;

/// How many words stand at the wrong side, of sides `[caller, agent]`. A word counts when its own side did not say it and
/// the other said it at about that time, so that echoes count as well.
pub(crate) fn wrong(said: [&[Word]; 2], heard: [&[Word]; 2]) -> usize {
    (0..2).map(|side| strangers(said[side], said[1 - side], heard[side])).sum()
}

fn strangers(own: &[Word], others: &[Word], heard: &[Word]) -> usize {
    let mut taken = vec![false; others.len()];
    let mut count = 0;
    for (a, b) in aligned(own, heard) {
        let Some(word) = b.map(|b| &heard[b]) else { continue };
        if a.is_some_and(|a| own[a].text == word.text) {
            continue;
        }
        let fits = |(at, other): (usize, &Word)| {
            (!taken[at] && other.text == word.text && (other.at - word.at).abs() < ABOUT_THEN).then_some(at)
        };
        if let Some(at) = others.iter().enumerate().find_map(fits) {
            taken[at] = true;
            count += 1;
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::words;

    #[test]
    fn a_word_at_the_wrong_side_counts_and_a_misheard_one_does_not() {
        let caller = words("good morning to you", 0, 0.0, 2.0);
        let agent = words("how can i help", 1, 2.5, 4.0);
        let right = [caller.clone(), agent.clone()];
        assert_eq!(wrong([&caller, &agent], [&right[0], &right[1]]), 0);
        let misheard = words("good warning to you", 0, 0.0, 2.0);
        assert_eq!(wrong([&caller, &agent], [&misheard, &agent]), 0);
        let echoed = [caller.clone(), words("how can", 0, 2.5, 3.2)].concat();
        assert_eq!(wrong([&caller, &agent], [&echoed, &agent]), 2);
    }
}
