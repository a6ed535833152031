//! The words of a transcript, across its turns, with the digits that they stand for.

use std::ops::Range;

use super::Redacted;
use crate::domain::Turn;

/// Stands for what was taken out before.
pub(super) const TAKEN: &str = "[";

/// Letters and digits without anything in between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    /// In which turn.
    pub(super) turn: usize,
    /// Where in its text.
    pub(super) bytes: Range<usize>,
    /// In lower case.
    pub(super) word: String,
    /// The digits that it is or stands for; empty for a word.
    pub(super) digits: String,
    /// Whether a plus sign stands right before it, as before a telephone number in its international form.
    pub(super) plus: bool,
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
                    Token { word: TAKEN.to_owned(), digits: String::new(), ..token(turn, bytes.clone(), text) },
                    bytes.end,
                ),
                None => (token(turn, start..end, text), end),
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

fn token(turn: usize, bytes: Range<usize>, said: &str) -> Token {
    let text = &said[bytes.clone()];
    let word = text.to_lowercase();
    let digits: Option<String> =
        text.chars().map(|c| c.to_digit(10).or_else(|| wide(c))).map(|d| char::from_digit(d?, 10)).collect();
    let digits = digits.or_else(|| digit_word(&word).map(str::to_owned)).unwrap_or_default();
    let plus = said[..bytes.start].ends_with('+');
    Token { turn, bytes, word, digits, plus, then: String::new() }
}

/// Digits of other scripts: full-width, Arabic-Indic, Persian, Devanagari.
fn wide(c: char) -> Option<u32> {
    let zeros = ['\u{ff10}', '\u{660}', '\u{6f0}', '\u{966}'];
    zeros.iter().find_map(|zero| (c as u32).checked_sub(*zero as u32).filter(|digit| *digit < 10))
}

/// What only the next word makes a number: "double four", "forty one".
fn spell(tokens: &mut [Token]) {
    for at in 0..tokens.len() {
        let Some((token, [next, ..])) = tokens[at..].split_first_mut() else { continue };
        let times = match token.word.as_str() {
            "double" | "doppel" | "doppia" | "doppio" | "doble" => 2,
            "triple" | "tripla" | "triplo" => 3,
            "forty" | "twenty" | "thirty" | "fifty" | "sixty" | "seventy" | "eighty" | "ninety" => {
                // "Forty one" is 41, and said in two words: the second is the first's.
                if next.digits.len() == 1 && next.digits != "0" && next.turn == token.turn && !next.is_number() {
                    token.digits.truncate(1);
                }
                continue;
            }
            _ => continue,
        };
        if next.digits.len() == 1 {
            token.digits = next.digits.repeat(times - 1);
        }
    }
}

/// Digits as they are said one by one, in the languages of most calls; the longer numbers in English, where people read out
/// cards in pairs.
fn digit_word(word: &str) -> Option<&'static str> {
    Some(match word {
        "zero" | "oh" | "o" | "nought" | "null" | "zéro" | "cero" | "nul" => "0",
        "one" | "uno" | "un" | "una" | "une" | "eins" | "ein" | "um" | "uma" | "een" | "één" => "1",
        "two" | "due" | "zwei" | "zwo" | "deux" | "dos" | "dois" | "duas" | "twee" => "2",
        "three" | "tre" | "drei" | "trois" | "tres" | "três" | "drie" => "3",
        "four" | "quattro" | "vier" | "quatre" | "cuatro" | "quatro" => "4",
        "five" | "cinque" | "fünf" | "cinq" | "cinco" | "vijf" => "5",
        "six" | "sei" | "sechs" | "seis" | "zes" | "meia" => "6",
        "seven" | "sette" | "sieben" | "sept" | "siete" | "sete" | "zeven" => "7",
        "eight" | "otto" | "acht" | "huit" | "ocho" | "oito" => "8",
        "nine" | "nove" | "neun" | "neuf" | "nueve" | "negen" | "niner" => "9",
        "ten" => "10",
        "eleven" => "11",
        "twelve" => "12",
        "thirteen" => "13",
        "fourteen" => "14",
        "fifteen" => "15",
        "sixteen" => "16",
        "seventeen" => "17",
        "eighteen" => "18",
        "nineteen" => "19",
        "twenty" => "20",
        "thirty" => "30",
        "forty" => "40",
        "fifty" => "50",
        "sixty" => "60",
        "seventy" => "70",
        "eighty" => "80",
        "ninety" => "90",
        _ => return None,
    })
}
