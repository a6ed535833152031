//! E-mail addresses, written or spelled out: "john dot smith at example dot com", "J, O, H, N underscore 42 at G mail dot com".

use super::{
    Span,
    tokens::{TAKEN, Token, announced, is_elided},
};
use crate::domain::Speaker;

const AT: [&str; 7] = ["at", "chiocciola", "arobase", "arroba", "klammeraffe", "apenstaartje", "ät"];
/// Behind "at": it is the sign, and not the word.
const SIGN: [&str; 3] = ["sign", "symbol", "zeichen"];
const DOT: [&str; 6] = ["dot", "punto", "punkt", "point", "ponto", "punt"];
/// These are everyday words too: they are dots only before an ending that is none.
const DOT_OR_WORD: [&str; 2] = ["point", "punt"];
/// What else joins the words of a name, a run of one or two words each.
const JOINTS: [&str; 19] = [
    "dash",
    "hyphen",
    "minus",
    "underscore",
    "under score",
    "plus",
    "trattino",
    "trattino basso",
    "lineetta",
    "più",
    "bindestrich",
    "unterstrich",
    "guion",
    "guión",
    "guion bajo",
    "guión bajo",
    "tiret",
    "tiret bas",
    "streepje",
];
/// Endings of names of hosts, which tell an address whose name is said in several words.
const ENDINGS: [&str; 24] = [
    "com", "net", "org", "de", "fr", "es", "eu", "uk", "co", "io", "nl", "ch", "pt", "info", "biz", "edu", "gov", "ca",
    "au", "br", "mx", "pl", "ie", "it",
];
/// Before "at" and a name with a dot in it these are no one's address: "look at example.com".
const NOBODY: [&str; 42] = [
    "it",
    "us",
    "me",
    "him",
    "her",
    "them",
    "you",
    "look",
    "looking",
    "looked",
    "find",
    "found",
    "shop",
    "order",
    "ordered",
    "buy",
    "bought",
    "are",
    "is",
    "was",
    "be",
    "page",
    "website",
    "site",
    "online",
    "visit",
    "there",
    "here",
    "everything",
    "that",
    "this",
    "working",
    "work",
    "works",
    "available",
    "and",
    "or",
    "store",
    "arrive",
    "arrived",
    "meet",
    "more",
];
/// Words that announce an address.
const ANNOUNCED: [&str; 14] = [
    "email",
    "e mail",
    "mail",
    "email address",
    "e mail address",
    "mail address",
    "mailadresse",
    "e mail adresse",
    "indirizzo",
    "indirizzo email",
    "correo",
    "correo electrónico",
    "courriel",
    "adresse",
];
const VERBS: [&str; 12] = ["is", "s", "it’s", "be", "ist", "lautet", "è", "es", "est", "é", "sarebbe", "wäre"];
/// Words between a name's announcement and the sign, at most.
const LONGEST_NAME: usize = 8;
/// Words of a host's name before its first dot, at most.
const LONGEST_LABEL: usize = 4;

/// Every address.
pub(super) fn find(tokens: &[Token]) -> Vec<Span> {
    (0..tokens.len()).filter_map(|at| address(tokens, at)).collect()
}

/// The address whose sign is, or stands behind, this token.
fn address(tokens: &[Token], at: usize) -> Option<Span> {
    let written = tokens[at].then.trim_matches(BRACKETS) == "@";
    let said = !written
        && AT.contains(&tokens[at].word.as_str())
        && at > 0
        && is_light(tokens, at - 1)
        && is_light(tokens, at);
    let sign = |at: usize| tokens.get(at).is_some_and(|token| SIGN.contains(&token.word.as_str()));
    let (last, domain) = match (written, said) {
        (true, _) => (at, at + 1),
        (_, true) => (at - 1, if sign(at + 1) { at + 2 } else { at + 1 }),
        _ => return None,
    };
    if [last, domain].iter().any(|at| tokens.get(*at).is_none_or(|token| token.word == TAKEN)) {
        return None;
    }
    let end = domain_end(tokens, domain, said || tokens[at].then != "@")?;
    let first = begin(tokens, last);
    let told = told(tokens, first);
    // "At" is a word: who is meant must be somebody.
    let nobody = tokens[last].ends_clause() || NOBODY.contains(&tokens[last].word.as_str());
    if said && told.is_none() && first == last && nobody {
        return None;
    }
    Some(told.unwrap_or(first)..end)
}

const BRACKETS: [char; 7] = [' ', '(', ')', '[', ']', '<', '>'];

/// Whether nothing ends between this token and the next one. What somebody spells out may go on in the next turn.
fn is_light(tokens: &[Token], at: usize) -> bool {
    let light = |c: char| BRACKETS.contains(&c) || matches!(c, ',' | ';' | '"' | '“' | '”' | '…');
    let goes_on = |next: &Token| next.speaker == tokens[at].speaker && next.speaker != Speaker::Unknown;
    tokens.get(at + 1).is_some_and(|next| match next.turn == tokens[at].turn {
        true => tokens[at].then.chars().all(light),
        false => goes_on(next),
    })
}

/// Whether a sign of a name stands between this token and the next one.
fn is_joined(tokens: &[Token], at: usize) -> bool {
    let sign = matches!(tokens[at].then.as_str(), "." | "-" | "_" | "+");
    sign && tokens.get(at + 1).is_some_and(|next| next.turn == tokens[at].turn)
}

/// Behind the last label of a host's name. A word may stand for the sign only before a name with a dot in it.
fn domain_end(tokens: &[Token], from: usize, needs_dot: bool) -> Option<usize> {
    let (mut last, mut end) = (from, label(tokens, from));
    let mut dotted = false;
    if !is_joined(tokens, end - 1) && dot(tokens, end).is_none() {
        // "At my company dot com".
        let ends = |at: &usize| dot(tokens, *at).is_some_and(|next| ENDINGS.contains(&tokens[next].word.as_str()));
        let name = (end..tokens.len().min(from + LONGEST_LABEL)).take_while(|at| tokens[at - 1].then.trim().is_empty());
        end = name.map(|at| at + 1).find(ends).unwrap_or(end);
    }
    loop {
        let next = if is_joined(tokens, end - 1) {
            dotted |= tokens[end - 1].then == ".";
            Some(end)
        } else if let Some(next) = dot(tokens, end) {
            dotted = true;
            Some(next)
        } else {
            joint(tokens, end).filter(|next| *next < tokens.len())
        };
        let Some(next) = next else { break };
        (last, end) = (next, label(tokens, next));
    }
    // "At about point five" is no address, and neither is "at 5 p.m.".
    let letters: usize = tokens[last..end].iter().map(|token| token.word.chars().count()).sum();
    let ends = dotted && letters > 1 && tokens[end - 1].digits.is_empty();
    (ends || !needs_dot).then_some(end)
}

/// Behind a label, which may be spelled out letter by letter.
fn label(tokens: &[Token], from: usize) -> usize {
    let single = |at: usize| tokens[at].word.chars().nth(1).is_none() && tokens[at].word != TAKEN;
    let mut end = from + 1;
    while single(end - 1) && end < tokens.len() && single(end) && is_light(tokens, end - 1) {
        end += 1;
    }
    end
}

/// The label behind a word for a dot.
fn dot(tokens: &[Token], at: usize) -> Option<usize> {
    let word = tokens.get(at).filter(|token| DOT.contains(&token.word.as_str()))?;
    let next = tokens.get(at + 1).filter(|next| next.word != TAKEN)?;
    let everyday = DOT_OR_WORD.contains(&word.word.as_str());
    (!everyday || (next.word != "it" && ENDINGS.contains(&next.word.as_str()))).then_some(at + 1)
}

/// Behind the words that join two parts of a name.
fn joint(tokens: &[Token], at: usize) -> Option<usize> {
    (at < tokens.len()).then(|| announced(tokens, at, &JOINTS))?
}

/// The first word of what stands before the sign.
fn begin(tokens: &[Token], last: usize) -> usize {
    let mut first = last;
    while let Some(before) = first.checked_sub(1) {
        let (token, next) = (&tokens[before], &tokens[first]);
        let spelled = |at: usize| tokens[at].is_spelled() && !is_elided(tokens, at);
        // The words for a sign, and the word before them.
        let joins =
            (1..=2).filter_map(|words| first.checked_sub(words)).find(|from| joint(tokens, *from) == Some(first));
        let dots = dot(tokens, before) == Some(first) || DOT.contains(&token.word.as_str()) && is_light(tokens, before);
        let joins = joins.or(dots.then_some(before)).filter(|from| *from > 0 && tokens[from - 1].word != TAKEN);
        first = match joins {
            Some(from) if is_light(tokens, from - 1) => from - 1,
            _ if is_joined(tokens, before) || spelled(before) && spelled(first) => before,
            // "John 4 2".
            _ if !next.digits.is_empty() && token.digits.is_empty() && is_light(tokens, before) && is_name(token) => {
                before
            }
            _ => return first,
        };
    }
    first
}

fn is_name(token: &Token) -> bool {
    let word = token.word.as_str();
    word != TAKEN && !VERBS.contains(&word) && !NOBODY.contains(&word) && !ANNOUNCED.contains(&word)
}

/// Where a name begins that is announced: "my e-mail is john smith at …".
fn told(tokens: &[Token], first: usize) -> Option<usize> {
    let within = first.saturating_sub(LONGEST_NAME)..first;
    let verb = within.rev().take_while(|at| tokens[*at].turn == tokens[first].turn && !tokens[*at].ends_sentence());
    let verb = verb.into_iter().find(|at| {
        let says = VERBS.contains(&tokens[*at].word.as_str());
        says && (at.saturating_sub(3)..*at).any(|from| announced(tokens, from, &ANNOUNCED).is_some())
    })?;
    Some(verb + 1)
}
