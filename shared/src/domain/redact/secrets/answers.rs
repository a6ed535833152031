//! Where one party asks for a password and the other one says it, or whoever asked goes on with it.

use super::{
    super::{
        Span,
        tokens::{TAKEN, Token, announced, is_elided},
    },
    FAR, clause_end, is_letter, is_odd, is_spelled, spelled,
    words::{LINKS, NO_SECRETS, POLITE, VERBS, WEAK},
};
use crate::domain::Speaker;

/// What such a verb is about, where it says what was asked for: "it's", "that is".
const SUBJECTS: [&str; 13] =
    ["it", "that", "this", "would", "should", "das", "es", "password", "passwort", "c", "ce", "questa", "esta"];
/// With these somebody asks for time, and the secret comes later: "one moment please".
const WAITS: [&str; 19] = [
    "one moment",
    "one second",
    "one sec",
    "just a",
    "let me",
    "wait",
    "hold on",
    "hang on",
    "give me",
    "of course",
    "moment",
    "second",
    "minute",
    "un momento",
    "un attimo",
    "einen moment",
    "augenblick",
    "un instant",
    "espera",
];
/// With these one party asks for it, if not with a question mark.
const ASKS: [&str; 13] = [
    "tell", "give", "spell", "confirm", "provide", "nennen", "sagen", "dica", "dirmi", "mi dia", "donnez", "dígame",
    "diga",
];
/// Behind these it is said that nobody should: "never give anyone your password". "Don't" is two words here.
const NEVER: [&str; 20] = [
    "never",
    "not",
    "t",
    "cannot",
    "nobody",
    "none",
    "no",
    "non",
    "mai",
    "nessuno",
    "nicht",
    "nie",
    "niemals",
    "niemand",
    "niemandem",
    "ne",
    "jamais",
    "nunca",
    "nadie",
    "não",
];
/// Here another thought begins, with or without a comma: "don't worry, just tell me", "I do not see it so please tell me".
const AFRESH: [&str; 11] = ["please", "just", "so", "but", "and", "then", "bitte", "aber", "ma", "mais", "pero"];
/// Words of a sentence before the announcement that are looked at.
const BEFORE: usize = 10;
/// Words before the order in which something may forbid it: "we never want you to tell".
const FORBIDDEN: usize = 5;
/// Words behind the order which do: "tell nobody", "sagen Sie niemandem".
const TO_WHOM: usize = 2;
/// With fewer words nobody asks for the next thing: "okay, please go on", "sorry?".
const SHORT: usize = 4;

/// How sure it is that somebody asked.
#[derive(Clone, Copy, PartialEq)]
enum Asked {
    /// By a question or an order.
    Plainly,
    /// A question follows, which may be about something else.
    Perhaps,
}

/// What is said to the question, or the order, that ends behind this announcement.
pub(super) fn to_question(tokens: &[Token], behind: usize) -> Vec<Span> {
    let Some(asked) = asked(tokens, behind) else { return Vec::new() };
    let (turn, speaker) = (tokens[behind - 1].turn, tokens[behind - 1].speaker);
    let rest = behind..tokens.partition_point(|token| token.turn <= turn);
    if is_taken(&tokens[rest.clone()]) {
        return Vec::new();
    }
    // "Is it hunter2?"
    let mut found = odd(tokens, rest.clone());
    found.extend(it_is(tokens, rest));
    let (mut answered, mut known) = (asked == Asked::Perhaps, !found.is_empty());
    for turn in turn + 1..=turn + FAR {
        let said =
            tokens.partition_point(|token| token.turn < turn)..tokens.partition_point(|token| token.turn <= turn);
        let Some(first) = tokens.get(said.start).filter(|_| !said.is_empty()) else { continue };
        let (asks, odd) = (first.speaker == speaker, odd(tokens, said.clone()));
        // What is asked for next is something else: "and your surname?"
        if known && asks && (speaker != Speaker::Unknown || odd.is_empty()) && goes_on(&tokens[said.clone()]) {
            break;
        }
        // Who asked does not answer; without names anybody may have.
        if asks && speaker != Speaker::Unknown {
            continue;
        }
        known |= !odd.is_empty() || is_taken(&tokens[said.clone()]);
        found.extend(odd);
        if answered {
            continue;
        }
        let plain = it_is(tokens, said.clone()).or_else(|| the_beginning(tokens, said.clone()));
        answered = plain.is_some() || is_taken(&tokens[said.clone()]) || !waits(tokens, said);
        known |= plain.is_some();
        found.extend(plain);
    }
    found
}

/// Whether more is said than that it was heard, and to go on.
fn goes_on(said: &[Token]) -> bool {
    said.len() > SHORT || said.len() > 2 && said.iter().any(|token| token.then.contains('?'))
}

/// Whether something was taken out there already, so that the question has its answer.
fn is_taken(said: &[Token]) -> bool {
    said.iter().any(|token| token.word == TAKEN)
}

fn asked(tokens: &[Token], behind: usize) -> Option<Asked> {
    let turn = tokens[behind - 1].turn;
    let rest = || tokens[behind - 1..].iter().take_while(|token| token.turn == turn);
    let begins = (behind.saturating_sub(BEFORE)..behind - 1).rev();
    let mut sentence = begins.take_while(|at| tokens[*at].turn == turn && !tokens[*at].ends_sentence());
    let questions = |token: &Token| token.then.contains('?');
    if rest().find(|token| token.ends_sentence()).is_some_and(questions)
        || sentence.any(|at| announced(tokens, at, &ASKS).is_some() && !is_forbidden(tokens, at))
    {
        return Some(Asked::Plainly);
    }
    rest().any(questions).then_some(Asked::Perhaps)
}

/// Whether what sounds like an order, here, says that it should not be done.
fn is_forbidden(tokens: &[Token], at: usize) -> bool {
    let turn = tokens[at].turn;
    let is = |at: usize, words: &[&str]| words.contains(&tokens[at].word.as_str());
    let clause = (at.saturating_sub(FORBIDDEN)..at)
        .rev()
        .take_while(|at| tokens[*at].turn == turn && !tokens[*at].ends_clause() && !is(*at, &AFRESH));
    let to_whom = at + 1..tokens.len().min(at + 1 + TO_WHOM);
    clause.chain(to_whom).any(|at| is(at, &NEVER))
}

/// What cannot be ordinary words.
fn odd(tokens: &[Token], within: Span) -> Vec<Span> {
    let mut found = Vec::new();
    let mut at = within.start;
    while at < within.end {
        let length = match spelled(tokens, at, false) {
            length if length > 2 && !is_elided(tokens, at) => length,
            _ if is_odd(&tokens[at]) => 1,
            _ => 0,
        };
        found.extend((length > 0).then_some(at..at + length));
        at += length.max(1);
    }
    found
}

/// "It's hunter2", wherever in the turn.
fn it_is(tokens: &[Token], within: Span) -> Option<Span> {
    within.clone().find_map(|at| {
        let subject = at > within.start && SUBJECTS.contains(&tokens[at - 1].word.as_str());
        let says = tokens[at].word != "yes" && VERBS.contains(&tokens[at].word.as_str());
        if !says || !(subject || at == within.start) || tokens[at].ends_sentence() {
            return None;
        }
        value(tokens, at + 1..within.end)
    })
}

/// All of the first clause, where the turn begins with no request to wait.
fn the_beginning(tokens: &[Token], within: Span) -> Option<Span> {
    if waits(tokens, within.clone()) { None } else { value(tokens, within) }
}

/// The clause behind words that only lead to it.
fn value(tokens: &[Token], within: Span) -> Option<Span> {
    let from = behind_links(tokens, within.clone());
    let first = tokens.get(from).filter(|token| from < within.end && token.word != TAKEN)?;
    if NO_SECRETS.contains(&first.word.as_str()) && !is_spelled(tokens, from) {
        return None;
    }
    let span = from..clause_end(tokens, from, false);
    (span.len() > 1 || !WEAK.contains(&first.word.as_str())).then_some(span)
}

fn behind_links(tokens: &[Token], within: Span) -> usize {
    let leads = |at: &usize| {
        let word = tokens[*at].word.as_str();
        let polite = POLITE.contains(&word) && tokens[*at].ends_clause();
        (LINKS.contains(&word) || polite) && !is_letter(tokens, *at)
    };
    within.start + within.take_while(leads).count()
}

/// Whether nothing is said but that it comes: "sure, one moment please".
fn waits(tokens: &[Token], within: Span) -> bool {
    let from = behind_links(tokens, within.clone());
    from == within.end || (within.start..=from).any(|at| announced(tokens, at, &WAITS).is_some())
}
