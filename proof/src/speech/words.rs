//! Words without spelling, so that only what was heard differently counts. The rules, for what was said and what was heard
//! alike: letters small, hyphens are spaces, all else but letters and digits is left out ("o'clock" is "oclock"), numbers up
//! to ninety-nine are digits with tens and ones apart, and "okay" is "ok". Nothing else: "I'll" for "I will" is an error, and
//! so is "center" for "centre".

const ONES: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: [&str; 8] = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];

/// A word where it was said.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Word {
    pub(crate) text: String,
    pub(crate) side: usize,
    /// Seconds from the start of the call, by its share of the line.
    pub(crate) at: f64,
}

/// The words of a line between two times.
pub(crate) fn words(text: &str, side: usize, start: f64, end: f64) -> Vec<Word> {
    let plain = plain(text);
    let step = (end - start) / plain.len().max(1) as f64;
    let word = |(i, text): (usize, String)| Word { text, side, at: start + step * (i as f64 + 0.5) };
    plain.into_iter().enumerate().map(word).collect()
}

fn plain(text: &str) -> Vec<String> {
    let spaced = text.to_lowercase().replace(['-', '–', '—', '/'], " ");
    let letters =
        spaced.split_whitespace().map(|word| word.chars().filter(|c| c.is_alphanumeric()).collect::<String>());
    letters.filter(|word| !word.is_empty()).flat_map(|word| number(&word).unwrap_or_else(|| vec![word])).collect()
}

fn number(word: &str) -> Option<Vec<String>> {
    if word == "okay" {
        return Some(vec!["ok".to_owned()]);
    }
    if let Some(ones) = ONES.iter().position(|name| *name == word) {
        return Some(vec![ones.to_string()]);
    }
    if let Some(tens) = TENS.iter().position(|name| *name == word) {
        return Some(vec![((tens + 2) * 10).to_string()]);
    }
    let value: usize = word.parse().ok().filter(|value| (21..100).contains(value) && value % 10 != 0)?;
    Some(vec![(value / 10 * 10).to_string(), (value % 10).to_string()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spelling_does_not_count() {
        assert_eq!(plain("Okay, twenty-five o'clock — it's 3."), ["ok", "20", "5", "oclock", "its", "3"]);
        assert_eq!(plain("25 thirty 30 17"), ["20", "5", "30", "30", "17"]);
    }

    #[test]
    fn words_are_spread_over_their_line() {
        let spread = words("one two", 1, 10.0, 12.0);
        assert_eq!((spread[0].at, spread[1].at, spread[1].side), (10.5, 11.5, 1));
    }
}
