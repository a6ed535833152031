#![expect(clippy::unwrap_used, reason = "tests may panic")]

use proptest::{collection::vec, prelude::*, sample::select};

mod spoken;

use super::{cards::luhn, *};
use crate::domain::{Speaker, Turn};

fn transcript(turns: &[&str]) -> Transcript {
    let turn = |(at, text): (usize, &&str)| Turn {
        start: at as f64,
        end: at as f64 + 1.0,
        speaker: if at % 2 == 0 { Speaker::Agent } else { Speaker::Caller },
        text: (*text).to_owned(),
    };
    Transcript { turns: turns.iter().enumerate().map(turn).collect(), ..Transcript::default() }
}

fn left(redact: &Redact, turns: &[&str]) -> Vec<String> {
    redact.apply(transcript(turns)).turns.into_iter().map(|turn| turn.text).collect()
}

fn all() -> Redact {
    "card,iban,secret,email".parse().unwrap()
}

fn one(text: &str) -> String {
    left(&all(), &[text]).remove(0)
}

#[test]
fn cards_are_taken_out_however_they_are_said() {
    for said in [
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "4111111111111111",
        "4111. 1111. 1111. 1111",
        "four one one one, one one one one, one one one one, one one one one",
        "Four triple one, double one double one, one one one one, one one one one",
        "forty one eleven eleven eleven eleven eleven eleven eleven",
        "4111 uh 1111 and then 1111 1111",
        "quattro uno uno uno, uno uno uno uno, uno uno uno uno, uno uno uno uno",
        "３７８２８２２４６３１０００５",
    ] {
        assert_eq!(one(&format!("It is {said}. Thanks.")), "It is [card number]. Thanks.", "{said}");
    }
}

#[test]
fn a_card_that_goes_on_in_the_next_turns_is_taken_out_of_each() {
    let turns =
        ["Your card?", "four one one one one one one one", "Mhm.", "one one one one, one one one one. That is it"];
    assert_eq!(left(&all(), &turns), ["Your card?", "[card number]", "[card number].", "[card number]. That is it"]);
    let turns = ["Your card?", "It is 5425 2334", "Okay, please go on.", "3010 9903, until May."];
    assert_eq!(left(&all(), &turns)[1..], ["It is [card number]", "Okay, please go on.", "[card number], until May."]);
    let repeated = ["three five zero one two zero zero four", "three five zero one two zero zero four"];
    assert_eq!(left(&all(), &repeated), repeated, "a phone number, and somebody repeating it");
}

#[test]
fn ordinary_numbers_stay() {
    for said in [
        "Call me on +39 350 123 4567, or on 0039 350 1234567.",
        "My number is three five zero, one two three, four five six seven.",
        "Order 20260003141592, placed on 19.11.2026 at 14:30, for 1,250 euros.",
        "It costs four hundred and ten, and one more for you two.",
        "At 10 or maybe eleven. Is 12 fine? It is 60 euros.",
        "+49 151 23456789 01",
    ] {
        assert_eq!(one(said), said);
    }
}

#[test]
fn accounts_are_taken_out_written_or_spelled() {
    for said in [
        "DE89 3704 0044 0532 0130 00",
        "de89370400440532013000",
        "GB29 NWBK 6016 1331 9268 19",
        "D E eight nine, three seven zero four, zero zero four four, zero five three two, zero one three zero, zero zero",
        "N O 93 8601 1117 947",
    ] {
        assert_eq!(one(&format!("The IBAN: {said}, please.")), "The IBAN: [IBAN], please.", "{said}");
    }
    let wrong = "The IBAN: DE88 3704 0044 0532 0130 00, please.";
    assert_eq!(one(wrong), wrong);
}

#[test]
fn addresses_are_taken_out_only_where_that_is_asked_for() {
    for said in ["marta.bianchi@example.com", "john dot smith at example dot com", "j_s-x+y@mail.example.co.uk"] {
        assert_eq!(one(&format!("Sure, {said}. Bye.")), "Sure, [e-mail]. Bye.", "{said}");
        let text = format!("Sure, {said}. Bye.");
        assert_eq!(left(&Redact::default(), &[&text]), [text.as_str()]);
    }
    for place in
        ["We are at home. Meet me at the shop, at about point five.", "We met at half-past two.", "post_call_at_once.x"]
    {
        assert_eq!(one(place), place);
    }
}

#[test]
fn secrets_are_taken_out_behind_the_words_that_announce_them() {
    for (said, expected) in [
        ("My password is hunter2, thanks.", "My password is [secret], thanks."),
        ("The passphrase is correct horse battery staple.", "The passphrase is [secret]."),
        ("Das Passwort lautet Sommer 2024!", "Das Passwort lautet [secret]!"),
        ("The CVV is one two three.", "The CVV is [secret]."),
        ("My PIN is 4 3 2 1, and I am 42.", "My PIN is [secret], and I am 42."),
        ("The one-time code that I got is 493 021.", "The one-time code that I got is [secret]."),
        ("My password is not working, and the PIN is wrong.", "My password is not working, and the PIN is wrong."),
        ("I forgot my password. My order is 12345.", "I forgot my password. My order is 12345."),
        ("The PIN was wrong. My order is 12345.", "The PIN was wrong. My order is 12345."),
        ("I gave you my password. It was my mistake.", "I gave you my password. It was my mistake."),
        ("My password: hunter2.", "My password: [secret]."),
    ] {
        assert_eq!(one(said), expected);
    }
    let asked = ["What is your password?", "Sure, it's Blue Moon seven. Is that all?"];
    assert_eq!(left(&all(), &asked), ["What is your password?", "Sure, it's [secret]. Is that all?"]);
    let asked = ["And the three digits on the back, the security code?", "Yes, that is one, two, three."];
    assert_eq!(left(&all(), &asked)[1], "Yes, that is [secret].");
}

#[test]
fn a_password_that_is_spelled_out_leaves_no_letter_behind() {
    for (said, expected) in [
        ("My password is H, U, N, T, E, R, two", "My password is [secret]"),
        ("My password is S, E, C, R, E, T", "My password is [secret]"),
        ("My password is I, A, O, 4. 5. 6. Got that.", "My password is [secret]. Got that."),
        ("My password is, H. U. N. T. E. R. T. W. O. thanks.", "My password is, [secret]. thanks."),
        ("La mia password è S, E, G, R, E, T, O, grazie.", "La mia password è [secret], grazie."),
    ] {
        assert_eq!(one(said), expected);
        assert_eq!(one(expected), expected);
    }
    let answer = |said: &str| left(&all(), &["What is your password?", said]).remove(1);
    assert_eq!(answer("It's S, E, C, R, E, T."), "It's [secret].");
    assert_eq!(answer("S, E, C, R, E, T."), "[secret].");
    assert_eq!(answer("I, I don't know."), "I, I don't know.");
}

#[test]
fn what_was_taken_out_is_noted_and_doing_it_again_changes_nothing() {
    let said = ["4111 1111 1111 1111, and my PIN is 1234", "DE89 3704 0044 0532 0130 00"];
    let once = all().apply(transcript(&said));
    assert_eq!(once.redacted.iter().map(|kind| kind.as_str()).collect::<Vec<_>>(), ["iban", "card", "secret"]);
    assert_eq!(all().apply(once.clone()), once);
    let off: Redact = "off".parse().unwrap();
    assert_eq!(left(&off, &said), said);
    assert!("cards".parse::<Redact>().is_err());
}

/// A number of `length` digits whose last one makes it right.
fn valid(length: usize) -> impl Strategy<Value = String> {
    vec(0..10u8, length - 1).prop_map(|digits| {
        let begin: String = digits.iter().map(ToString::to_string).collect();
        (0..10).map(|last| format!("{begin}{last}")).find(|number| luhn(number)).unwrap()
    })
}

/// Whether 13 to 19 digits in a row, whatever stands between them but letters, have a right check digit.
fn survives(text: &str) -> bool {
    text.split(char::is_alphabetic).any(|run| {
        let digits: String = run.chars().filter(char::is_ascii_digit).collect();
        (13..=19)
            .any(|length| (0..(digits.len() + 1).saturating_sub(length)).any(|from| luhn(&digits[from..from + length])))
    })
}

proptest! {
    #[test]
    fn no_card_survives_whatever_is_between_its_digits(
        number in (13..=19usize).prop_flat_map(valid),
        separators in vec("[ .,;:/_()–·\\-]{0,3}", 18),
        before in "[a-zA-Z ]{0,12}",
        after in "[a-zA-Z ]{0,12}",
    ) {
        let mut text = format!("{before} ");
        for (at, digit) in number.chars().enumerate() {
            text.push(digit);
            text.push_str(separators.get(at).filter(|_| at + 1 < number.len()).map_or("", String::as_str));
        }
        let text = format!("{text} {after}");
        prop_assert!(survives(&text), "it was there: {text}");
        let left = one(&text);
        prop_assert!(!survives(&left), "{text} -> {left}");
        prop_assert!(left.contains('['), "{text} -> {left}");
    }

    #[test]
    fn no_card_survives_being_spelled_out(number in valid(16), speaks in select(vec![0usize, 1, 2]), pairs in any::<bool>()) {
        let names = [
            ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"],
            ["zero", "uno", "due", "tre", "quattro", "cinque", "sei", "sette", "otto", "nove"],
            ["null", "eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun"],
        ][speaks];
        let words: Vec<_> = number.bytes().map(|digit| names[usize::from(digit - b'0')]).collect();
        let text = words.chunks(4).map(|four| four.join(" ")).collect::<Vec<_>>().join(if pairs { ", " } else { " " });
        prop_assert_eq!(one(&text), "[card number]");
    }

    #[test]
    fn numbers_that_are_too_short_for_a_card_stay(
        number in "[0-9]{3,12}", sign in select(vec!["", "+", "#"]), before in "(order|call me on|invoice|ticket)",
    ) {
        let text = format!("{before} {sign}{number}, thank you");
        prop_assert_eq!(one(&text), text);
    }

    #[test]
    fn phone_numbers_in_the_international_form_stay(groups in vec("[0-9]{2,4}", 2..=4)) {
        let text = format!("call +{} today", groups.join(" "));
        if groups.concat().len() <= 15 {
            prop_assert_eq!(one(&text), text);
        }
    }

    #[test]
    fn long_numbers_without_a_right_check_digit_stay(number in "[1-9][0-9]{12,18}") {
        if !luhn(&number) {
            let text = format!("order {number} please");
            prop_assert_eq!(one(&text), text);
        }
    }

    #[test]
    fn any_text_is_redacted_without_a_panic_and_only_once(turns in vec("\\PC{0,40}|my password is .{0,9}|[0-9 ]{10,30}|iban [a-z0-9 ]{20,30}", 0..5)) {
        let turns: Vec<_> = turns.iter().map(String::as_str).collect();
        let once = all().apply(transcript(&turns));
        prop_assert_eq!(all().apply(once.clone()).turns, once.turns);
    }
}

#[test]
fn what_a_provider_made_of_a_call_is_without_the_same() {
    let data = [("card", "4111 1111 1111 1111"), ("PIN", "4711"), ("city", "Rome")];
    let judged = Judged {
        summary: "She paid with 4111 1111 1111 1111.".into(),
        collected_data: data.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
        ..Judged::default()
    };
    let judged = Redact::default().judged(judged);
    assert_eq!(judged.summary, "She paid with [card number].");
    let values: Vec<_> = judged.collected_data.iter().map(|(_, value)| value.as_str()).collect();
    assert_eq!(values, ["[card number]", "[secret]", "Rome"]);
}
