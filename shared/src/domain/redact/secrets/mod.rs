//! Secrets that are said aloud: what follows "my password is", and the digits that follow a PIN, a card's verification code or a
//! one-time code. Found by the words that announce them, in the languages of most calls, also where one party asks and the other
//! answers (`answers`), and again where somebody repeats them. What is announced in other words is not found.
//!
//! To teach it another language: its words, in `words`.

mod answers;
mod codes;
mod words;

use std::collections::BTreeSet;

use self::words::{COMPOUNDS, LEADING, LINKS, NO_SECRETS, PASSWORDS, PAST, POLITE, SPELLING, VERBS, WEAK};
use super::{
    Span,
    tokens::{TAKEN, Token, announced, by_speaker, is_elided},
};

/// Words that a password has at most.
const LONGEST_PASSWORD: usize = 8;
/// Words about whose it is.
const LONGEST_OWNER: usize = 6;
/// Turns over which what one party says may go on.
const FAR: usize = 6;

/// The tokens of every secret.
pub(super) fn find(tokens: &[Token]) -> Vec<usize> {
    let mut spans = codes::behind_cards(tokens);
    for at in 0..tokens.len() {
        if let Some(behind) = password(tokens, at) {
            match said(tokens, behind, false) {
                Some(span) => spans.push(span),
                None => spans.extend(answers::to_question(tokens, behind)),
            }
        }
        spans.extend(codes::find(tokens, at, 2));
    }
    let mut values: Vec<Vec<usize>> = spans.into_iter().map(Iterator::collect).collect();
    // What one party goes on with behind the other's "mhm".
    for (places, own) in by_speaker(tokens) {
        let said = |at| said(&own, password(&own, at)?, true);
        let spans = (0..own.len()).flat_map(|at| said(at).into_iter().chain(codes::find(&own, at, FAR)));
        values.extend(spans.map(|span| span.map(|at| places[at]).collect()));
    }
    let repeated: Vec<usize> = values.iter().flat_map(|value| repeated(tokens, value)).collect();
    values.into_iter().flatten().chain(repeated).collect::<BTreeSet<_>>().into_iter().collect()
}

/// Behind the words that announce a password, and not something about passwords.
fn password(tokens: &[Token], at: usize) -> Option<usize> {
    let about = |next: &Token| COMPOUNDS.contains(&next.word.as_str());
    announced(tokens, at, &PASSWORDS).filter(|behind| !tokens.get(*behind).is_some_and(about))
}

/// A password: the rest of the clause behind "is" or a colon. Where it `crosses`, it may come in a later turn of this party.
fn said(tokens: &[Token], behind: usize, crosses: bool) -> Option<Span> {
    let asked = &tokens[behind - 1];
    let within = |token: &Token| token.turn == asked.turn || crosses && token.turn <= asked.turn + FAR;
    let last_of_turn = |at: usize| tokens.get(at + 1).is_some_and(|next| next.turn != tokens[at].turn);
    let ends = |at: usize| tokens[at].ends_sentence() && !(crosses && last_of_turn(at));
    if ends(behind - 1) {
        return None;
    }
    let mut from = whose(tokens, behind).unwrap_or(behind);
    let mut linked = asked.then.contains([':', '=']);
    while let Some(token) = tokens.get(from).filter(|token| within(token) && LINKS.contains(&token.word.as_str())) {
        if linked && is_letter(tokens, from) {
            break;
        }
        linked |= VERBS.contains(&token.word.as_str());
        if ends(from) && !(linked && is_spelled(tokens, from + 1)) {
            return None;
        }
        from += 1;
    }
    let first = tokens.get(from).filter(|token| within(token) && linked && token.word != TAKEN)?;
    if NO_SECRETS.contains(&first.word.as_str()) && !is_spelled(tokens, from) {
        return None;
    }
    let span = from..clause_end(tokens, from, crosses);
    let weak = span.len() == 1 && [&WEAK[..], &POLITE].concat().contains(&first.word.as_str());
    // "I changed my password, it was easy."
    let past = tokens[behind..from].iter().any(|token| PAST.contains(&token.word.as_str()));
    let doubtful = past && asked.ends_clause() && !is_spelled(tokens, from) && !tokens[span.clone()].iter().any(is_odd);
    (!weak && !doubtful).then_some(span)
}

/// Where the verb is behind words about whose or what for a password is: "the password for the portal is".
fn whose(tokens: &[Token], behind: usize) -> Option<usize> {
    tokens.get(behind).filter(|token| LEADING.contains(&token.word.as_str()))?;
    let turn = tokens[behind - 1].turn;
    let clause = (behind..tokens.len().min(behind + LONGEST_OWNER))
        .take_while(|at| tokens[*at].turn == turn && !tokens[at - 1].ends_clause());
    clause.into_iter().find(|at| VERBS.contains(&tokens[*at].word.as_str()))
}

/// Behind the clause that begins here, and the single words that are listed behind it: "correct, horse, battery". What is spelled
/// out ends with its last letter.
fn clause_end(tokens: &[Token], from: usize, crosses: bool) -> usize {
    let same = |at: usize| tokens.get(at).is_some_and(|t| t.turn == tokens[from].turn && t.word != TAKEN);
    let mut end = from + 1;
    while same(end) && end - from < LONGEST_PASSWORD && !tokens[end - 1].ends_clause() {
        end += 1;
    }
    let is_item = |at: usize| {
        let ends = tokens[at].ends_clause() || !same(at + 1);
        ends && ![&POLITE[..], &NO_SECRETS].concat().contains(&tokens[at].word.as_str())
    };
    while !is_spelled(tokens, from) && same(end) && tokens[end - 1].then.starts_with(',') && is_item(end) {
        end += 1;
    }
    end.max(from + spelled(tokens, from, crosses))
}

/// How many tokens spell something out from here on, letter by letter, whatever stands between them.
fn spelled(tokens: &[Token], from: usize, crosses: bool) -> usize {
    let Some(first) = tokens.get(from) else { return 0 };
    let (mut letters, mut length) = (0, 0);
    for (at, token) in tokens[from..].iter().enumerate() {
        let near = token.turn == first.turn || crosses && token.turn <= first.turn + FAR;
        if near && token.is_spelled() && !token.aside {
            (letters, length) = (letters + 1, at + 1);
        } else if near && token.word != TAKEN && (token.aside || SPELLING.contains(&token.word.as_str())) {
            // Signs at the end are part of it.
            length = if letters > 1 { at + 1 } else { length };
        } else {
            break;
        }
    }
    if letters == 0 { 0 } else { length }
}

/// Whether something is spelled out from here on. "I, I don't know" is somebody who stammers.
fn is_spelled(tokens: &[Token], from: usize) -> bool {
    match spelled(tokens, from, false) {
        0 | 1 => false,
        2 => tokens[from].word != tokens[from + 1].word,
        _ => true,
    }
}

/// Whether a word that may link is a letter of the secret here: "S, E, C". In "it's" it is none, nor is an "è".
fn is_letter(tokens: &[Token], at: usize) -> bool {
    let word = &tokens[at].word;
    word.is_ascii() && word.len() == 1 && !is_elided(tokens, at) && is_spelled(tokens, at)
}

/// Whether it has letters and digits, as few words do: no "2nd", no "5pm".
fn is_odd(token: &Token) -> bool {
    let ordinary = ["st", "nd", "rd", "th", "am", "pm", "h", "k", "g", "x", "s", "er", "e", "º", "ª"];
    let (digit, letter) = (|c: char| c.is_ascii_digit(), |c: char| c.is_alphabetic());
    let counted = token.word.trim_start_matches(digit);
    token.word.contains(digit) && token.word.contains(letter) && !ordinary.contains(&counted)
}

/// Where the same is said once more soon: "4321, right?"
fn repeated(tokens: &[Token], value: &[usize]) -> Vec<usize> {
    let (Some(first), Some(last)) = (value.first(), value.last()) else { return Vec::new() };
    let digits = |places: &[usize]| places.iter().map(|at| tokens[*at].digits.as_str()).collect::<String>();
    let is_code = value.iter().all(|at| !tokens[*at].digits.is_empty());
    let words: Vec<&str> = value.iter().map(|at| tokens[*at].word.as_str()).collect();
    // A short word is said for other reasons, too.
    let telling = words.len() > 1 || words[0].chars().count() > 5 || is_odd(&tokens[*first]);
    let near = (last + 1..tokens.len()).take_while(|at| tokens[*at].turn <= tokens[*last].turn + FAR);
    let mut found = Vec::new();
    for from in near {
        if is_code {
            let starts = from == 0 || tokens[from - 1].digits.is_empty() || tokens[from - 1].turn != tokens[from].turn;
            let run = tokens[from..].iter().take_while(|t| t.turn == tokens[from].turn && !t.digits.is_empty()).count();
            let run: Vec<usize> = (from..from + run).collect();
            if starts && digits(&run) == digits(value) {
                found.extend(run);
            }
        } else if telling
            && tokens.get(from..from + words.len()).is_some_and(|said| said.iter().map(|t| &t.word).eq(&words))
        {
            found.extend(from..from + words.len());
        }
    }
    found
}
