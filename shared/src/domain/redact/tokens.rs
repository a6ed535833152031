//! The words of a transcript, across its turns, with the digits that they stand for.

use std::{collections::BTreeSet, ops::Range};

use super::{Redacted, numbers};
use crate::domain::{Speaker, Turn};

/// Stands for what was taken out before.
pub(super) const TAKEN: &str = "[";

/// Letters and digits without anything in between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    /// In which turn.
    pub(super) turn: usize,
    /// Whose that is.
    pub(super) speaker: Speaker,
    /// Where in its text.
    pub(super) bytes: Range<usize>,
    /// In lower case.
    pub(super) word: String,
    /// The digits that it is or stands for; empty for a word.
    pub(super) digits: String,
    /// Whether a plus sign stands right before it, as before a telephone number in its international form.
    pub(super) plus: bool,
    /// Whether it only explains a letter, or joins two words of one number.
    pub(super) aside: bool,
    /// What stands between it and the next one in the same turn.
    pub(super) then: String,
}

impl Token {
    /// Whether it is written in digits and nothing else.
    pub(super) fn is_number(&self) -> bool {
        self.word.bytes().all(|b| b.is_ascii_digit())
    }

    /// Whether the clause ends behind it.
    pub(super) fn ends_clause(&self) -> bool {
        self.then.trim_start().starts_with(['.', ',', ';', '?', '!'])
    }

    /// Whether the sentence ends behind it.
    pub(super) fn ends_sentence(&self) -> bool {
        self.then.trim_start().starts_with(['.', '?', '!'])
    }

    /// Whether it is a letter or a number, as in what is spelled out.
    pub(super) fn is_spelled(&self) -> bool {
        self.word != TAKEN && (self.word.chars().nth(1).is_none() || !self.digits.is_empty())
    }
}

/// What each known speaker says, with the places of the tokens among all: what is long goes on behind whatever the other party
/// says in the middle of it.
pub(super) fn by_speaker(tokens: &[Token]) -> Vec<(Vec<usize>, Vec<Token>)> {
    let speakers: BTreeSet<Speaker> = tokens.iter().map(|token| token.speaker).collect();
    let known = speakers.into_iter().filter(|speaker| *speaker != Speaker::Unknown);
    let own = |speaker| tokens.iter().cloned().enumerate().filter(move |(_, token)| token.speaker == speaker).unzip();
    known.map(own).collect()
}

/// Behind the words that announce something, where they begin here; the longest of these phrases counts.
pub(super) fn announced(tokens: &[Token], at: usize, phrases: &[&str]) -> Option<usize> {
    let first = tokens[at].word.as_str();
    let length = |phrase: &&str| {
        if !phrase.starts_with(first) {
            return None;
        }
        let mut said = tokens[at..].iter();
        let all = phrase.split(' ').all(|word| said.next().is_some_and(|token| token.word == word));
        all.then(|| phrase.split(' ').count())
    };
    phrases.iter().filter_map(length).max().map(|length| at + length)
}

/// Whether an apostrophe ties it to the word before or behind it: "it's", "c'est".
pub(super) fn is_elided(tokens: &[Token], at: usize) -> bool {
    let apostrophe = ['\'', '’'];
    let before = at.checked_sub(1).and_then(|before| tokens.get(before));
    let tied = before.is_some_and(|before| before.turn == tokens[at].turn && before.then.ends_with(apostrophe));
    tied || tokens[at].then.starts_with(apostrophe)
}

/// All words, in order.
pub(super) fn of(turns: &[Turn]) -> Vec<Token> {
    let mut tokens = Vec::new();
    for (turn, said) in turns.iter().enumerate() {
        let text = &said.text;
        let first = tokens.len();
        let mut rest = 0;
        while let Some(start) = text[rest..].find(char::is_alphanumeric).map(|at| rest + at) {
            let end = text[start..].find(|c: char| !c.is_alphanumeric()).map_or(text.len(), |at| start + at);
            let (token, end) = match taken(text, start) {
                Some(bytes) => (
                    Token { word: TAKEN.to_owned(), digits: String::new(), ..token(turn, bytes.clone(), said) },
                    bytes.end,
                ),
                None => (token(turn, start..end, said), end),
            };
            tokens.push(token);
            rest = end;
        }
        for at in first..tokens.len() {
            let next = tokens.get(at + 1).map_or(text.len(), |next: &Token| next.bytes.start);
            tokens[at].then = text[tokens[at].bytes.end..next].to_owned();
        }
    }
    spell(&mut tokens);
    tokens
}

/// The whole of a placeholder whose first letter is here.
fn taken(text: &str, start: usize) -> Option<Range<usize>> {
    let begin = start.checked_sub(1)?;
    let placeholder = Redacted::ALL
        .map(Redacted::placeholder)
        .into_iter()
        .find(|p| text.get(begin..).is_some_and(|t| t.starts_with(p)))?;
    Some(begin..begin + placeholder.len())
}

fn token(turn: usize, bytes: Range<usize>, said: &Turn) -> Token {
    let text = &said.text[bytes.clone()];
    let word = text.to_lowercase();
    let digits: Option<String> =
        text.chars().map(|c| c.to_digit(10).or_else(|| wide(c))).map(|d| char::from_digit(d?, 10)).collect();
    let digits = digits.or_else(|| numbers::digits(&word)).unwrap_or_default();
    let plus = said.text[..bytes.start].ends_with('+');
    Token { turn, speaker: said.speaker, bytes, word, digits, plus, aside: false, then: String::new() }
}

/// Digits of other scripts: full-width, Arabic-Indic, Persian, Devanagari.
fn wide(c: char) -> Option<u32> {
    let zeros = ['\u{ff10}', '\u{660}', '\u{6f0}', '\u{966}'];
    zeros.iter().find_map(|zero| (c as u32).checked_sub(*zero as u32).filter(|digit| *digit < 10))
}

/// What only the words around it make a number, or none: "double four", "forty one", "the next four", "D as in Delta".
fn spell(tokens: &mut [Token]) {
    for at in 0..tokens.len() {
        aside(tokens, at);
        let Some((token, [next, rest @ ..])) = tokens[at..].split_first_mut() else { continue };
        let times = match token.word.as_str() {
            "double" | "doppel" | "doppelt" | "doppia" | "doppio" | "doble" | "dubbel" => 2,
            "triple" | "treble" | "dreifach" | "tripla" | "triplo" => 3,
            "next" | "last" | "first" | "other" | "nächsten" | "letzten" | "ersten" | "ultime" | "ultimi" | "prime"
            | "prossime" | "últimos" | "primeros" | "siguientes" => {
                // "The next four are"; not "the last 1111".
                let counted = next.ends_clause() || rest.first().is_none_or(|after| after.digits.is_empty());
                if next.digits.len() == 1 && !next.is_number() && counted && token.then.trim().is_empty() {
                    next.digits.clear();
                    next.aside = true;
                }
                continue;
            }
            word => {
                // "Forty one" is 41, and said in two words: the second is the first's. "Cuarenta y uno" has one in between.
                let unit = if next.word == "y" { rest.first() } else { Some(&*next) };
                let follows = |unit: &Token| {
                    unit.digits.len() == 1 && unit.digits != "0" && unit.turn == token.turn && !unit.is_number()
                };
                if numbers::tens(word).is_some() && unit.is_some_and(follows) {
                    token.digits.truncate(1);
                    next.aside |= next.word == "y";
                }
                continue;
            }
        };
        if next.digits.len() == 1 {
            token.digits = next.digits.repeat(times - 1);
        }
    }
}

/// Marks what explains a letter: "D as in Delta", "D wie Dora".
fn aside(tokens: &mut [Token], at: usize) {
    let letter = tokens[at].word.clone();
    if letter.chars().nth(1).is_some() || !letter.chars().all(char::is_alphabetic) {
        return;
    }
    let says =
        |place: usize, words: &[&str]| tokens.get(place).is_some_and(|token| words.contains(&token.word.as_str()));
    let length = match () {
        () if says(at + 1, &["as", "like"]) && says(at + 2, &["in"]) => 2,
        () if says(at + 1, &["for", "like", "wie", "von", "come", "como", "comme", "de", "di"]) => 1,
        () => return,
    };
    let explains = |token: &Token| token.turn == tokens[at].turn && token.word.starts_with(&letter);
    if tokens.get(at + length + 1).is_some_and(explains) {
        tokens[at + 1..=at + length + 1].iter_mut().for_each(|token| token.aside = true);
    }
}
