//! E-mail addresses, written or spelled out: "john dot smith at example dot com".

use super::{
    Span,
    tokens::{TAKEN, Token},
};

const AT: [&str; 6] = ["at", "chiocciola", "arobase", "arroba", "klammeraffe", "apenstaartje"];
const DOT: [&str; 7] = ["dot", "punto", "punkt", "point", "ponto", "punt", "dash"];

/// Every address.
pub(super) fn find(tokens: &[Token]) -> Vec<Span> {
    let mut found = Vec::new();
    for at in 0..tokens.len() {
        let written = tokens[at].then == "@";
        let alone = |before: usize| tokens[before].turn == tokens[at].turn && tokens[before].then.trim().is_empty();
        let said = AT.contains(&tokens[at].word.as_str()) && at > 0 && alone(at - 1) && alone(at);
        // Behind the sign; and of a word that stands for it, before that.
        let (last, domain) = match (written, said) {
            (true, _) => (at, at + 1),
            (_, true) => (at - 1, at + 1),
            _ => continue,
        };
        if [last, domain].iter().any(|at| tokens.get(*at).is_none_or(|token| token.word == TAKEN)) {
            continue;
        }
        let Some(end) = domain_end(tokens, domain, said && !written) else { continue };
        found.push(begin(tokens, last)..end);
    }
    found
}

/// Behind the last label of a host's name. A word may stand for the sign only before a name with a dot in it: "at" is a word.
fn domain_end(tokens: &[Token], from: usize, needs_dot: bool) -> Option<usize> {
    let turn = tokens.get(from)?.turn;
    let mut end = from + 1;
    let mut dotted = false;
    while let Some(next) = link(tokens, end - 1).filter(|next| tokens[*next].turn == turn) {
        // "At half-past two" has no dot in it.
        dotted |= matches!(tokens[end - 1].then.as_str(), ".") || (next > end && tokens[end].word != "dash");
        end = next + 1;
    }
    // "At about point five" is no address.
    ((dotted && tokens[end - 1].digits.is_empty()) || !needs_dot).then_some(end)
}

/// The word that a dot, a dash or an underscore joins to this one.
fn link(tokens: &[Token], at: usize) -> Option<usize> {
    let joined = matches!(tokens[at].then.as_str(), "." | "-" | "_" | "+");
    if joined {
        return (at + 1 < tokens.len()).then_some(at + 1);
    }
    let dot = tokens.get(at + 1).is_some_and(|token| DOT.contains(&token.word.as_str()));
    (dot && at + 2 < tokens.len()).then_some(at + 2)
}

/// The first word of what stands before the sign.
fn begin(tokens: &[Token], last: usize) -> usize {
    let mut first = last;
    loop {
        let turn = tokens[first].turn;
        let before = |back: usize| first.checked_sub(back).filter(|at| tokens[*at].turn == turn);
        match (before(1), before(2)) {
            (Some(one), _) if link(tokens, one) == Some(first) && !DOT.contains(&tokens[one].word.as_str()) => {
                first = one;
            }
            (_, Some(two)) if link(tokens, two) == Some(first) => first = two,
            _ => return first,
        }
    }
}
