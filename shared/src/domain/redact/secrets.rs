//! Secrets that are said aloud: what follows "my password is", and the digits that follow a PIN, a card's verification code or a
//! one-time code. Found by the words that announce them, in the languages of most calls, also where one party asks and the other
//! answers. What is announced in other words is not found.

use super::{
    Span,
    tokens::{TAKEN, Token},
};

/// Words that announce a password, a run of one or two words each.
const PASSWORDS: [&str; 17] = [
    "password",
    "passwords",
    "passcode",
    "passphrase",
    "passwort",
    "kennwort",
    "losungswort",
    "parola chiave",
    "parola d",
    "mot de passe",
    "contraseña",
    "palabra clave",
    "senha",
    "wachtwoord",
    "pass word",
    "memorable word",
    "security answer",
];
/// Words that announce a code of digits.
const CODES: [&str; 27] = [
    "pin",
    "pin code",
    "pincode",
    "cvv",
    "cvc",
    "cvv2",
    "cvc2",
    "c v v",
    "c v c",
    "security code",
    "verification code",
    "access code",
    "secret code",
    "one time code",
    "time code",
    "time password",
    "codice di sicurezza",
    "codice di verifica",
    "codice segreto",
    "prüfnummer",
    "prüfziffer",
    "sicherheitscode",
    "geheimzahl",
    "code secret",
    "code de sécurité",
    "código de seguridad",
    "código de segurança",
];
/// Words that may stand between the announcement and what is announced.
const LINKS: [&str; 47] = [
    "is", "was", "it", "its", "s", "it’s", "that", "would", "be", "will", "number", "the", "a", "my", "your", "for",
    "of", "card", "account", "ist", "lautet", "die", "das", "der", "war", "mein", "meine", "è", "e", "il", "la", "mia",
    "era", "est", "c", "le", "mon", "es", "mi", "el", "de", "é", "o", "minha", "sure", "yes", "okay",
];
/// Those of them that say what it is.
const VERBS: [&str; 14] = ["is", "was", "be", "s", "it’s", "ist", "lautet", "war", "è", "era", "est", "es", "é", "yes"];
/// Behind these nobody says a secret: "my password is not working".
const NO_SECRETS: [&str; 60] = [
    "not",
    "no",
    "wrong",
    "expired",
    "incorrect",
    "invalid",
    "right",
    "too",
    "still",
    "what",
    "being",
    "required",
    "reset",
    "saved",
    "stored",
    "working",
    "locked",
    "blocked",
    "changed",
    "in",
    "on",
    "at",
    "to",
    "and",
    "or",
    "but",
    "doesn",
    "does",
    "isn",
    "don",
    "didn",
    "has",
    "have",
    "had",
    "please",
    "can",
    "could",
    "should",
    "must",
    "i",
    "we",
    "you",
    "they",
    "forgotten",
    "forgot",
    "nicht",
    "falsch",
    "abgelaufen",
    "gesperrt",
    "non",
    "sbagliata",
    "scaduta",
    "pas",
    "ne",
    "incorrecta",
    "caducada",
    "because",
    "so",
    "when",
    "if",
];
/// Words that a password has at most.
const LONGEST_PASSWORD: usize = 8;
/// Fewer digits are no code, more are something else.
const CODE: std::ops::RangeInclusive<usize> = 3..=8;
/// Words between the announcement of a code and its first digit.
const CODE_WITHIN: usize = 8;

/// Every secret.
pub(super) fn find(tokens: &[Token]) -> Vec<Span> {
    let mut found = Vec::new();
    for at in 0..tokens.len() {
        if let Some(behind) = announced(tokens, at, &PASSWORDS) {
            found.extend(password(tokens, behind));
        }
        if let Some(behind) = announced(tokens, at, &CODES) {
            found.extend(code(tokens, behind));
        }
    }
    found
}

/// Behind the words that announce a secret, where they begin here.
fn announced(tokens: &[Token], at: usize, words: &[&str]) -> Option<usize> {
    let length = |announcement: &&str| {
        let words: Vec<_> = announcement.split(' ').collect();
        let said = tokens.get(at..at + words.len())?;
        said.iter().zip(&words).all(|(token, word)| token.word == *word).then_some(words.len())
    };
    words.iter().filter_map(length).max().map(|length| at + length)
}

/// A password: the rest of the clause behind "is" or a colon; or, to a question, the answer in the next turn.
fn password(tokens: &[Token], behind: usize) -> Option<Span> {
    let asked = &tokens[behind - 1];
    let answered =
        tokens[behind - 1..].iter().take_while(|token| token.turn == asked.turn).any(|token| token.then.contains('?'));
    let mut from = behind;
    let mut linked = asked.then.contains([':', '=']);
    if answered {
        from = tokens.partition_point(|token| token.turn <= asked.turn);
        linked = true;
    }
    let turn = tokens.get(from)?.turn;
    if !answered && (turn != asked.turn || asked.ends_clause()) {
        return None;
    }
    while let Some(token) = tokens.get(from).filter(|token| token.turn == turn && LINKS.contains(&token.word.as_str()))
    {
        // "S, E, C": here it is a letter of the secret. In "it's" it is none, nor is an "è".
        if linked
            && token.word.is_ascii()
            && token.word.len() == 1
            && !is_elided(tokens, from)
            && is_spelled(tokens, from)
        {
            break;
        }
        linked |= VERBS.contains(&token.word.as_str());
        // "Yes" may be all of the answer, or what goes before it.
        if token.ends_clause() && !answered && !(linked && is_spelled(tokens, from + 1)) {
            return None;
        }
        from += 1;
    }
    let first = tokens.get(from).filter(|token| token.turn == turn && linked)?;
    if first.word == TAKEN || NO_SECRETS.contains(&first.word.as_str()) && !is_spelled(tokens, from) {
        return None;
    }
    let rest =
        tokens[from..].iter().take(LONGEST_PASSWORD).take_while(|token| token.turn == turn && token.word != TAKEN);
    let length = rest.clone().position(|token| token.ends_clause()).map_or(rest.count(), |last| last + 1);
    Some(from..from + length.max(spelled(tokens, from)))
}

/// How many letters and digits are said one by one from here on, in the same turn, whatever stands between them.
fn spelled(tokens: &[Token], from: usize) -> usize {
    let Some(first) = tokens.get(from) else { return 0 };
    let single =
        |token: &Token| token.word != TAKEN && (token.word.chars().nth(1).is_none() || !token.digits.is_empty());
    tokens[from..].iter().take_while(|token| token.turn == first.turn && single(token)).count()
}

/// Whether something is spelled out from here on. "I, I don't know" is somebody who stammers.
fn is_spelled(tokens: &[Token], from: usize) -> bool {
    match spelled(tokens, from) {
        0 | 1 => false,
        2 => tokens[from].word != tokens[from + 1].word,
        _ => true,
    }
}

/// Whether an apostrophe ties it to the word before or behind it: "it's", "c'est".
fn is_elided(tokens: &[Token], at: usize) -> bool {
    let apostrophe = ['\'', '’'];
    let before = at.checked_sub(1).and_then(|before| tokens.get(before));
    let tied = before.is_some_and(|before| before.turn == tokens[at].turn && before.then.ends_with(apostrophe));
    tied || tokens[at].then.starts_with(apostrophe)
}

/// A code: the first digits behind the announcement, in the same turn or at the beginning of one of the next two.
fn code(tokens: &[Token], behind: usize) -> Option<Span> {
    let asked = tokens[behind - 1].turn;
    let within = |at: &usize| {
        let turn = tokens[*at].turn;
        let begin = if turn == asked { behind } else { tokens.partition_point(|token| token.turn < turn) };
        at - begin < CODE_WITHIN
    };
    let counts = |at: &usize| !tokens[*at].digits.is_empty() && !is_article(tokens, *at);
    let near = |at: &usize| tokens[*at].turn <= asked + 2 && tokens[*at].word != TAKEN;
    let first = (behind..tokens.len()).take_while(near).filter(within).find(counts)?;
    // "The PIN is wrong. My order is 12345": another sentence is about something else.
    let same_sentence = |token: &Token| token.turn != tokens[first].turn || !token.then.starts_with(['.', '!']);
    if !tokens[behind..first].iter().all(same_sentence) {
        return None;
    }
    let mut end = first;
    let mut digits = 0;
    while let Some(token) = tokens.get(end).filter(|token| !token.digits.is_empty() && token.turn <= asked + 2) {
        digits += token.digits.len();
        end += 1;
    }
    CODE.contains(&digits).then_some(first..end)
}

/// "One" and "un" are also what stands before a word.
fn is_article(tokens: &[Token], at: usize) -> bool {
    !tokens[at].is_number() && tokens.get(at + 1).is_none_or(|next| next.digits.is_empty())
}
