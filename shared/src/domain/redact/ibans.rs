//! Numbers of bank accounts: a country, two check digits and what its banks number by (ISO 13616).

use super::{Span, tokens::Token};

/// How long a country's numbers are (the SWIFT registry of ISO 13616).
const LENGTHS: [(&str, usize); 89] = [
    ("AD", 24),
    ("AE", 23),
    ("AL", 28),
    ("AT", 20),
    ("AZ", 28),
    ("BA", 20),
    ("BE", 16),
    ("BG", 22),
    ("BH", 22),
    ("BI", 27),
    ("BR", 29),
    ("BY", 28),
    ("CH", 21),
    ("CR", 22),
    ("CY", 28),
    ("CZ", 24),
    ("DE", 22),
    ("DJ", 27),
    ("DK", 18),
    ("DO", 28),
    ("EE", 20),
    ("EG", 29),
    ("ES", 24),
    ("FI", 18),
    ("FK", 18),
    ("FO", 18),
    ("FR", 27),
    ("GB", 22),
    ("GE", 22),
    ("GI", 23),
    ("GL", 18),
    ("GR", 27),
    ("GT", 28),
    ("HN", 28),
    ("HR", 21),
    ("HU", 28),
    ("IE", 22),
    ("IL", 23),
    ("IQ", 23),
    ("IS", 26),
    ("IT", 27),
    ("JO", 30),
    ("KW", 30),
    ("KZ", 20),
    ("LB", 28),
    ("LC", 32),
    ("LI", 21),
    ("LT", 20),
    ("LU", 20),
    ("LV", 21),
    ("LY", 25),
    ("MC", 27),
    ("MD", 24),
    ("ME", 22),
    ("MK", 19),
    ("MN", 20),
    ("MR", 27),
    ("MT", 31),
    ("MU", 30),
    ("NI", 28),
    ("NL", 18),
    ("NO", 15),
    ("OM", 23),
    ("PK", 24),
    ("PL", 28),
    ("PS", 29),
    ("PT", 25),
    ("QA", 29),
    ("RO", 24),
    ("RS", 22),
    ("RU", 33),
    ("SA", 24),
    ("SC", 31),
    ("SD", 18),
    ("SE", 24),
    ("SI", 19),
    ("SK", 24),
    ("SM", 27),
    ("SN", 28),
    ("SO", 23),
    ("ST", 25),
    ("SV", 28),
    ("TL", 23),
    ("TN", 24),
    ("TR", 26),
    ("UA", 29),
    ("VA", 22),
    ("VG", 24),
    ("XK", 20),
];
/// Every number has at least so many digits behind the first four characters; words have none.
const LEAST_DIGITS: usize = 6;

/// Every stretch of words that together are the number of an account.
pub(super) fn find(tokens: &[Token]) -> Vec<Span> {
    (0..tokens.len()).filter_map(|from| number(tokens, from)).collect()
}

/// What people say between two groups of it.
const FILLERS: [&str; 12] = ["uh", "um", "er", "and", "then", "dash", "space", "okay", "poi", "und", "dann", "luego"];
/// Letters as they are spelled on the telephone.
const SPELLED: [&str; 26] = [
    "alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "juliet", "kilo", "lima",
    "mike", "november", "oscar", "papa", "quebec", "romeo", "sierra", "tango", "uniform", "victor", "whiskey", "xray",
    "yankee", "zulu",
];

fn number(tokens: &[Token], from: usize) -> Option<Span> {
    let mut number = String::new();
    let mut wanted = None;
    for (at, token) in tokens.iter().enumerate().skip(from) {
        if at > from && (token.aside || FILLERS.contains(&token.word.as_str())) {
            continue;
        }
        // A letter of the country may sound like a digit: the O of Norway.
        if token.digits.is_empty() || (number.len() < 2 && !token.is_number()) {
            if !token.word.bytes().all(|b| b.is_ascii_alphanumeric()) {
                return None;
            }
            let spelled = SPELLED.contains(&token.word.as_str());
            let letters = if spelled { &token.word[..1] } else { token.word.as_str() };
            number.push_str(&letters.to_ascii_uppercase());
        } else {
            number.push_str(&token.digits);
        }
        if wanted.is_none() && number.len() >= 4 {
            wanted = Some(length(&number)?);
        }
        match wanted {
            Some(wanted) if number.len() == wanted => return is_right(&number).then_some(from..at + 1),
            Some(wanted) if number.len() > wanted => return None,
            _ => {}
        }
    }
    None
}

/// How long a number is that begins so.
fn length(begin: &str) -> Option<usize> {
    let (country, check) = (&begin[..2], &begin[2..4]);
    let known = LENGTHS.iter().find(|(known, _)| *known == country)?;
    check.bytes().all(|b| b.is_ascii_digit()).then_some(known.1)
}

/// Whether the check digits are right: the number, its first four characters moved to the end and letters counted from 10, leaves
/// 1 when divided by 97.
fn is_right(number: &str) -> bool {
    let digits = number[4..].bytes().filter(u8::is_ascii_digit).count();
    let remainder = number[4..].chars().chain(number[..4].chars()).fold(0, |rest: u32, c| {
        let value = c.to_digit(36).unwrap_or_default();
        (rest * if value > 9 { 100 } else { 10 } + value) % 97
    });
    digits >= LEAST_DIGITS && remainder == 1
}
