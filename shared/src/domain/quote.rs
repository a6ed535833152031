//! Whether words were said: a quote counts only when one party said it, word for word, in one go.

use super::{Speaker, Transcript};

/// What was said, prepared so that quotes can be looked up in it.
#[derive(Debug, Clone, Default)]
pub struct Spoken {
    /// What each party said without the other saying anything in between.
    runs: Vec<(Speaker, Vec<String>)>,
}

impl Spoken {
    /// The words of this transcript.
    pub fn of(transcript: &Transcript) -> Self {
        let same_speaker = transcript.turns.chunk_by(|a, b| a.speaker == b.speaker);
        let run = |turns: &[super::Turn]| (turns[0].speaker, turns.iter().flat_map(|turn| words(&turn.text)).collect());
        Self { runs: same_speaker.map(run).collect() }
    }

    /// Who said this. Case, punctuation and white space do not count; every word does.
    pub fn by(&self, quote: &str) -> Option<Speaker> {
        let quote: Vec<_> = words(quote).collect();
        let said = |words: &[String]| !quote.is_empty() && words.windows(quote.len()).any(|some| some == quote);
        self.runs.iter().find(|(_, words)| said(words)).map(|(speaker, _)| *speaker)
    }
}

/// Words in lower case. In scripts that leave no space between words, every character is one.
fn words(text: &str) -> impl Iterator<Item = String> {
    let mut spaced = String::with_capacity(text.len());
    for c in text.chars().flat_map(char::to_lowercase) {
        match c {
            '’' | '\'' => spaced.push('\''),
            c if unspaced(c) => spaced.extend([' ', c, ' ']),
            c if c.is_alphanumeric() => spaced.push(c),
            _ => spaced.push(' '),
        }
    }
    let words: Vec<_> = spaced.split_whitespace().map(|word| word.trim_matches('\'').to_owned()).collect();
    words.into_iter().filter(|word| !word.is_empty())
}

/// Thai, Lao, Myanmar, Khmer, kana and Han.
fn unspaced(c: char) -> bool {
    matches!(c, '\u{0e00}'..='\u{0eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{3040}'..='\u{30ff}'
        | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Turn;

    fn spoken(turns: &[(Speaker, &str)]) -> Spoken {
        let turn = |(speaker, text): &(Speaker, &str)| Turn {
            start: 0.0,
            end: 1.0,
            speaker: *speaker,
            text: (*text).to_owned(),
        };
        Spoken::of(&Transcript { turns: turns.iter().map(turn).collect(), ..Transcript::default() })
    }

    #[test]
    fn a_quote_counts_only_when_one_party_said_the_words_in_one_go() {
        let spoken = spoken(&[
            (Speaker::Agent, "Hello, thank you"),
            (Speaker::Agent, "for calling."),
            (Speaker::Caller, "My invoice is wrong! I don’t owe you that."),
        ]);
        assert_eq!(spoken.by("my invoice is WRONG"), Some(Speaker::Caller));
        assert_eq!(spoken.by("\"thank you for calling\""), Some(Speaker::Agent), "turns in a row are one go");
        assert_eq!(spoken.by("I don't owe you that"), Some(Speaker::Caller), "whichever apostrophe");
        assert_eq!(spoken.by("my invoice is right"), None);
        assert_eq!(spoken.by("voice is wrong"), None);
        assert_eq!(spoken.by("calling. My invoice"), None, "two people's words are nobody's");
        assert_eq!(spoken.by(" … "), None);
    }

    #[test]
    fn words_without_spaces_between_them_can_be_quoted_too() {
        let spoken = spoken(&[(Speaker::Caller, "請求書が間違っています。")]);
        assert_eq!(spoken.by("間違っています"), Some(Speaker::Caller));
        assert_eq!(spoken.by("合っています"), None);
    }
}
