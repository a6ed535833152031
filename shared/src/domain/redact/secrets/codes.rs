//! Codes of a few digits: a PIN, a one-time code, what stands on the back of a card.

use super::{
    super::{
        Span, cards,
        tokens::{TAKEN, Token, announced},
    },
    is_odd, is_spelled, said,
    words::CODES,
};

/// Fewer digits are no code, more are something else.
const CODE: std::ops::RangeInclusive<usize> = 3..=8;
/// Words between the announcement of a code and its first digit.
const WITHIN: usize = 8;
/// What is said between a card's number and the digits on its back.
const EXPIRY: [&str; 55] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
    "expires",
    "expiry",
    "expiration",
    "expiring",
    "valid",
    "until",
    "till",
    "thru",
    "through",
    "date",
    "is",
    "it",
    "s",
    "the",
    "and",
    "of",
    "end",
    "ends",
    "slash",
    "then",
    "uh",
    "um",
    "okay",
    "yes",
    "mhm",
    "with",
    "scade",
    "scadenza",
    "fino",
    "al",
    "e",
    "poi",
    "gültig",
    "bis",
    "und",
    "dann",
    "läuft",
    "ab",
    "caduca",
    "vence",
    "hasta",
    "y",
    "luego",
];
/// Behind a number these say what is counted.
const UNITS: [&str; 24] = [
    "euro",
    "euros",
    "dollars",
    "dollar",
    "pounds",
    "percent",
    "times",
    "pieces",
    "items",
    "days",
    "weeks",
    "months",
    "years",
    "minutes",
    "hours",
    "people",
    "units",
    "kilometers",
    "meters",
    "francs",
    "eur",
    "usd",
    "gbp",
    "cents",
];
/// Turns in which a question is answered.
const ANSWERED_WITHIN: usize = 4;
/// Words between a card's number and the digits on its back.
const BEHIND_CARD: usize = 14;

/// The code that is announced here, if there is one: in the same turn or at the beginning of one of the next few.
pub(super) fn find(tokens: &[Token], at: usize, turns: usize) -> Vec<Span> {
    let Some(behind) = announced(tokens, at, &CODES) else { return Vec::new() };
    // Some have letters as well.
    let letters = |span: &Span| {
        let has_letters = tokens[span.clone()].iter().any(|token| token.digits.is_empty());
        is_odd(&tokens[span.start]) || is_spelled(tokens, span.start) && has_letters
    };
    said(tokens, behind, false).filter(letters).into_iter().chain(digits(tokens, behind, turns)).collect()
}

fn digits(tokens: &[Token], behind: usize, turns: usize) -> Option<Span> {
    let asked = &tokens[behind - 1];
    // Who was asked may have to look for it.
    let turns = if asked.then.contains('?') { turns.max(ANSWERED_WITHIN) } else { turns };
    let near = |at: &usize| tokens[*at].turn <= asked.turn + turns && tokens[*at].word != TAKEN;
    let within = |at: &usize| {
        let turn = tokens[*at].turn;
        let begin = if turn == asked.turn { behind } else { tokens.partition_point(|token| token.turn < turn) };
        at - begin < WITHIN
    };
    let begins = |at: &usize| {
        let goes_on = *at > behind && !tokens[at - 1].digits.is_empty() && !is_article(tokens, at - 1);
        !tokens[*at].digits.is_empty() && !is_article(tokens, *at) && !goes_on
    };
    let mut first = (behind..tokens.len()).take_while(near).filter(within).filter(begins);
    first.find_map(|first| {
        // "The PIN is wrong. My order is 12345": another sentence is about something else.
        let same_sentence = |token: &Token| token.turn != tokens[first].turn || !token.then.starts_with(['.', '!']);
        let end = code_end(tokens, first, asked.turn + turns)?;
        tokens[behind..first].iter().all(same_sentence).then_some(first..end)
    })
}

/// Behind the digits that begin here, where they are as many as a code has.
fn code_end(tokens: &[Token], first: usize, last_turn: usize) -> Option<usize> {
    let (mut end, mut digits) = (first, 0);
    while let Some(token) = tokens.get(end).filter(|token| !token.digits.is_empty() && token.turn <= last_turn) {
        digits += token.digits.len();
        end += 1;
        // What comes behind a comma is another number.
        if CODE.contains(&digits) && token.digits.len() >= *CODE.start() && token.ends_clause() {
            break;
        }
    }
    CODE.contains(&digits).then_some(end)
}

/// "One" and "un" are also what stands before a word.
fn is_article(tokens: &[Token], at: usize) -> bool {
    !tokens[at].is_number() && tokens.get(at + 1).is_none_or(|next| next.digits.is_empty())
}

/// The three digits that are said behind a card's number and its last month, without being announced.
pub(super) fn behind_cards(tokens: &[Token]) -> Vec<Span> {
    cards::find(tokens).into_iter().filter_map(|card| behind_card(tokens, card)).collect()
}

fn behind_card(tokens: &[Token], card: Span) -> Option<Span> {
    let speaker = tokens[card.start].speaker;
    let mut at = card.end;
    while at < tokens.len().min(card.end + BEHIND_CARD) {
        let run = tokens[at..].iter().take_while(|t| !t.digits.is_empty() && t.speaker == speaker).count();
        if run == 0 {
            if !EXPIRY.contains(&tokens[at].word.as_str()) {
                return None;
            }
            at += 1;
            continue;
        }
        let end = at + run;
        let counted = tokens.get(end).is_some_and(|next| UNITS.contains(&next.word.as_str()));
        let digits: usize = tokens[at..end].iter().map(|token| token.digits.len()).sum();
        // Alone, or behind month and year.
        if !counted && matches!(digits, 3 | 7 | 9) {
            return last_three(tokens, at..end);
        }
        at = end;
    }
    None
}

fn last_three(tokens: &[Token], run: Span) -> Option<Span> {
    let digits = |from: usize| tokens[from..run.end].iter().map(|token| token.digits.len()).sum::<usize>();
    run.clone().find(|from| digits(*from) == 3).map(|from| from..run.end)
}
