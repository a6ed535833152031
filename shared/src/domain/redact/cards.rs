//! Numbers of payment cards: 13 to 19 digits whose check digit is right (ISO/IEC 7812-1, Luhn).

use std::ops::RangeInclusive;

use super::{
    Span,
    tokens::{Token, announced},
};

/// How many digits a card has.
const LENGTHS: RangeInclusive<usize> = 13..=19;
/// What people say between two groups of digits, without ending the number.
const FILLERS: [&str; 45] = [
    "uh", "um", "er", "eh", "and", "then", "dash", "space", "okay", "ok", "yes", "yeah", "mhm", "right", "e", "poi",
    "und", "dann", "ja", "et", "oui", "y", "sì", "si", "sorry", "so", "next", "last", "the", "are", "is", "it",
    "digits", "numbers", "after", "that", "hyphen", "minus", "slash", "hm", "well", "wait", "äh", "luego", "puis",
];
/// Fillers in a row.
const MOST_FILLERS: usize = 4;
/// Words that announce a card's number: then it goes whether or not its check digit is right, as one digit may be misheard.
const ANNOUNCED: [&str; 16] = [
    "card number",
    "card s number",
    "number of the card",
    "number on the card",
    "number on my card",
    "credit card is",
    "debit card is",
    "kartennummer",
    "kreditkartennummer",
    "nummer der karte",
    "numero della carta",
    "numero di carta",
    "numéro de carte",
    "número de tarjeta",
    "número de la tarjeta",
    "número do cartão",
];
/// Digits of a number that was announced; one or the other group may be missing.
const ANNOUNCED_LENGTHS: RangeInclusive<usize> = 12..=19;
/// Words between that and the first digit, besides [`FILLERS`]. "My phone" is not among them.
const LINKS: [&str; 20] = [
    "my", "your", "sure", "of", "course", "s", "here", "would", "be", "please", "ist", "lautet", "die", "meine", "è",
    "la", "mia", "es", "est", "é",
];

/// A run of digits is cut at other words. Within a turn and with nothing but punctuation in between, any number with a right check
/// digit counts. Where the number goes on in another turn, or over fillers, it must be one that an issuer could have given
/// too, as then two numbers may just have been said one after the other.
pub(super) fn find(tokens: &[Token]) -> Vec<Span> {
    let mut found = Vec::new();
    for from in 0..tokens.len() {
        if is_digits(&tokens[from]) {
            found.extend(longest(tokens, from));
        }
        found.extend(announced(tokens, from, &ANNOUNCED).and_then(|behind| misheard(tokens, behind)));
    }
    found
}

fn is_digits(token: &Token) -> bool {
    !token.digits.is_empty() && !token.aside
}

/// The longest number of a card that begins here.
fn longest(tokens: &[Token], from: usize) -> Option<Span> {
    let mut best = None;
    walk(tokens, from, |at, digits, apart| {
        let card = LENGTHS.contains(&digits.len()) && luhn(digits) && !is_phone(tokens, from, at);
        if card && (!apart || (is_issued(digits) && !is_repeated(digits))) {
            best = best.max(Some(at + 1));
        }
    });
    best.map(|end| from..end)
}

/// All digits behind an announcement, where they are about as many as a card has.
fn misheard(tokens: &[Token], behind: usize) -> Option<Span> {
    let between = |token: &Token| FILLERS.contains(&token.word.as_str()) || LINKS.contains(&token.word.as_str());
    let between = tokens[behind..].iter().take_while(|token| !is_digits(token) && between(token)).count();
    let from = Some(behind + between).filter(|at| tokens.get(*at).is_some_and(is_digits))?;
    let mut best = None;
    walk(tokens, from, |at, digits, _| {
        if ANNOUNCED_LENGTHS.contains(&digits.len()) && !is_phone(tokens, from, at) {
            best = best.max(Some(at + 1));
        }
    });
    best.map(|end| from..end)
}

/// Hands over the digits from here on, one token more each time, until another word or more digits than any card has: where the
/// token is, all digits so far, and whether anything but punctuation stood between them. What may be a digit or a filler ("um") is
/// first one, then the other.
fn walk(tokens: &[Token], from: usize, mut hear: impl FnMut(usize, &str, bool)) {
    walk_as(tokens, from, is_digits, &mut hear);
    let is_sure = |token: &Token| is_digits(token) && !FILLERS.contains(&token.word.as_str());
    if is_sure(&tokens[from]) {
        walk_as(tokens, from, is_sure, &mut hear);
    }
}

fn walk_as(
    tokens: &[Token],
    from: usize,
    is_digits: impl Fn(&Token) -> bool,
    hear: &mut impl FnMut(usize, &str, bool),
) {
    let mut digits = String::new();
    let (mut apart, mut fillers) = (false, 0);
    for (at, token) in tokens.iter().enumerate().skip(from) {
        if !is_digits(token) {
            fillers += usize::from(!token.aside);
            if fillers > MOST_FILLERS || !(token.aside || FILLERS.contains(&token.word.as_str())) {
                return;
            }
            apart = true;
            continue;
        }
        fillers = 0;
        apart |= at > from && tokens[at - 1].turn != token.turn;
        digits.push_str(&token.digits);
        if digits.len() > *LENGTHS.end() {
            return;
        }
        hear(at, &digits, apart);
    }
}

/// Whether the check digit is right.
pub(super) fn luhn(digits: &str) -> bool {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(at, digit)| match (u32::from(digit - b'0'), at % 2) {
            (digit, 0) => digit,
            (digit, _) if digit > 4 => digit * 2 - 9,
            (digit, _) => digit * 2,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Whether these are the digits, or the last of them, of a telephone number in its international form: a plus sign and up to 15
/// digits (ITU-T E.164).
fn is_phone(tokens: &[Token], from: usize, to: usize) -> bool {
    let turn = tokens[to].turn;
    let mut digits: usize = tokens[from + 1..=to].iter().map(|token| token.digits.len()).sum();
    for token in tokens[..=from].iter().rev() {
        digits += token.digits.len();
        if token.turn != turn || token.digits.is_empty() || digits > 15 {
            return false;
        }
        if token.plus {
            return true;
        }
    }
    false
}

/// Whether issuers give numbers that begin so and are so long: Visa, Mastercard, American Express, Diners, JCB, Discover,
/// UnionPay, Maestro, Mir.
fn is_issued(digits: &str) -> bool {
    let begin = |length: usize| digits[..length].parse::<u32>().unwrap_or_default();
    match (begin(1), begin(2), begin(4)) {
        (4, ..) => matches!(digits.len(), 13 | 16 | 19),
        (_, 51..=55, _) | (_, _, 2221..=2720) => digits.len() == 16,
        (_, 34 | 37, _) => digits.len() == 15,
        (_, 30 | 36 | 38 | 39, _) => digits.len() >= 14,
        (_, 35, _) | (_, _, 2200..=2204) => digits.len() >= 16,
        (6, ..) | (_, 50 | 56..=58, _) => true,
        _ => false,
    }
}

/// Whether the same digits were said twice: a phone number, and the other party repeating it.
fn is_repeated(digits: &str) -> bool {
    let after = |length: usize| digits.get(length..).filter(|rest| rest.len() > 2);
    (6..=12).filter_map(after).any(|rest| digits.starts_with(rest))
}
