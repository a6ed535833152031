//! What people really say, and what they say that sounds like it.

use super::*;

/// Each line is a call; its turns alternate between agent and caller.
fn check(table: &[(&str, &str)]) {
    for (said, expected) in table {
        let turns: Vec<&str> = said.split(" | ").collect();
        let once = left(&all(), &turns);
        assert_eq!(once.join(" | "), *expected, "{said}");
        let once: Vec<&str> = once.iter().map(String::as_str).collect();
        assert_eq!(left(&all(), &once), once, "twice changes nothing: {said}");
    }
}

#[test]
fn cards_are_found_in_whatever_words_they_are_read_out() {
    check(&[
        ("four oh oh oh, oh oh oh oh, oh oh oh oh, oh oh oh two", "[card number]"),
        ("It's four one one one one one one one, double one double one, treble one one.", "It's [card number]."),
        (
            "The first four are 4111, the next four are 1111, then 1111 and the last four are 1111.",
            "The first four are [card number].",
        ),
        ("4111 1111, um, 1111 1111", "[card number]"),
        ("einundvierzig elf elf elf elf elf elf elf", "[card number]"),
        ("quarantuno undici undici undici undici undici undici undici", "[card number]"),
        ("cuarenta y uno once once once once once once once", "[card number]"),
        (
            "4111 1111 | mhm | 1111 | okay | 1111, thanks",
            "[card number] | [card number] | [card number] | [card number] | [card number], thanks",
        ),
        (
            "Your card? | 4111 1111 | Let me repeat that: 4111 1111. | 1111 1111, yes",
            "Your card? | [card number] | Let me repeat that: [card number]. | [card number], yes",
        ),
    ]);
}

#[test]
fn a_card_that_is_announced_goes_even_where_a_digit_was_misheard() {
    check(&[
        ("My card number is 4111 1111 1111 1112.", "My card number is [card number]."),
        (
            "La mia carta? Il numero di carta è 4111 1111 1111 1112.",
            "La mia carta? Il numero di carta è [card number].",
        ),
        (
            "What is your card number? | Sure, it's 4111 1111 1111 1112.",
            "What is your card number? | Sure, it's [card number].",
        ),
        (
            "My card number ends in 1112. My order is 4111 1111 1111 1112.",
            "My card number ends in 1112. My order is 4111 1111 1111 1112.",
        ),
        ("The card number? My phone is 0039 350 1234567.", "The card number? My phone is 0039 350 1234567."),
    ]);
}

#[test]
fn what_stands_on_the_back_of_a_card_goes_with_its_number() {
    check(&[
        (
            "4111 1111 1111 1111, valid until December 27, and then 123.",
            "[card number], valid until December 27, and then [secret].",
        ),
        ("4111 1111 1111 1111, 12/27, one two three. Thanks.", "[card number], 12/27, [secret]. Thanks."),
        (
            "4111 1111 1111 1111 | okay | and the three digits on the back are 1 2 3",
            "[card number] | okay | and the three digits on the back are [secret]",
        ),
        (
            "The security code on the back of my card is 987, and it expires in 12 27.",
            "The security code on the back of my card is [secret], and it expires in 12 27.",
        ),
        ("4111 1111 1111 1111. I ordered 250 pieces.", "[card number]. I ordered 250 pieces."),
        ("4111 1111 1111 1111, and 251 euros", "[card number], and 251 euros"),
    ]);
}

#[test]
fn accounts_are_found_with_letters_that_are_explained_and_behind_interruptions() {
    check(&[
        (
            "It is D as in Delta, E as in Echo, eight nine, three seven zero four, zero zero four four, zero five three two, zero one three zero, zero zero.",
            "It is [IBAN].",
        ),
        ("D wie Dora, E wie Emil, neunundachtzig, 3704 0044 0532 0130 00", "[IBAN]"),
        ("Delta Echo 89 3704 0044 0532 0130 00", "[IBAN]"),
        ("IBAN: DE89, then 3704, uh, 0044 0532 | mhm | 0130 00.", "IBAN: [IBAN] | mhm | [IBAN]."),
    ]);
}

#[test]
fn secrets_are_found_whatever_is_said_behind_them() {
    check(&[
        ("My password is hunter2. Is that right?", "My password is [secret]. Is that right?"),
        ("My password is, hunter2, and what is yours?", "My password is, [secret], and what is yours?"),
        ("My password, it's hunter2.", "My password, it's [secret]."),
        ("My PIN is 4321, is that okay? | 4321, got it.", "My PIN is [secret], is that okay? | [secret], got it."),
        ("My PIN is 4321, 350 1234567.", "My PIN is [secret], 350 1234567."),
        ("La mia password è gatto nero, va bene?", "La mia password è [secret], va bene?"),
        ("Mein Passwort ist Sommer, ist das richtig?", "Mein Passwort ist [secret], ist das richtig?"),
        ("El PIN es cuatro tres dos uno, ¿vale?", "El PIN es [secret], ¿vale?"),
        ("The verification code is AB12CD, okay?", "The verification code is [secret], okay?"),
        ("My mother's maiden name is Smith, does that help?", "My mother's maiden name is [secret], does that help?"),
        ("Is your password hunter2?", "Is your password [secret]?"),
        ("What's your password? It's hunter2, right?", "What's your password? It's [secret], right?"),
        ("My password should be Blue Moon seven, thanks.", "My password should be [secret], thanks."),
        ("My password is still hunter2.", "My password is still [secret]."),
        ("The password for the portal is Sommer2024.", "The password for the portal is [secret]."),
        ("Mon mot de passe, c'est chat noir.", "Mon mot de passe, c'est [secret]."),
    ]);
}

#[test]
fn passwords_of_several_words_leave_none_behind() {
    check(&[
        (
            "My password is correct, horse, battery, staple. Read it back? | Sure, correct horse battery staple.",
            "My password is [secret]. Read it back? | Sure, [secret].",
        ),
        ("My password is capital H, u, n, t, e, r, two, exclamation mark.", "My password is capital [secret]."),
        ("My password is H for Hotel, U for Uniform, N for November.", "My password is [secret]."),
        ("My password is the name of my dog, Fluffy.", "My password is the [secret]."),
        ("My password is | mhm | Hunter two.", "My password is | mhm | [secret]."),
        ("My password is H U N | yes | T E R two. | Great.", "My password is [secret] | yes | [secret]. | Great."),
        ("The PIN? | My PIN is 4 3 | mhm | 2 1.", "The PIN? | My PIN is [secret] | mhm | [secret]."),
    ]);
}

#[test]
fn answers_are_found_when_somebody_has_to_look_first() {
    check(&[
        ("What's your password? | Let me see, it's hunter2.", "What's your password? | Let me see, it's [secret]."),
        (
            "What's your password? | One moment please. | Sure. | Blue Moon seven.",
            "What's your password? | One moment please. | Sure. | [secret].",
        ),
        (
            "What's your PIN? | One second. | Sure. | It's four three two one.",
            "What's your PIN? | One second. | Sure. | It's [secret].",
        ),
        ("Please tell me your password. | Blue Moon.", "Please tell me your password. | [secret]."),
        (
            "Geheimzahl? | Die ist vier drei zwei eins. | vier drei zwei eins, danke.",
            "Geheimzahl? | Die ist [secret]. | [secret], danke.",
        ),
        ("The passphrase? | It should be correct horse battery.", "The passphrase? | It should be [secret]."),
        (
            "I don't see you here so please tell me your password. | Blue Moon.",
            "I don't see you here so please tell me your password. | [secret].",
        ),
        (
            "Don't worry, just tell me your password. | Blue Moon.",
            "Don't worry, just tell me your password. | [secret].",
        ),
        (
            "Spell your password. | H, U, N | okay, go on | T, E, R, 2",
            "Spell your password. | [secret] | okay, go on | [secret]",
        ),
        (
            "Your password? | Why do you need it? | To see that it is you. | S, E, C, R",
            "Your password? | Why do you need it? | To see that it is you. | [secret]",
        ),
    ]);
}

#[test]
fn what_is_asked_for_next_stays() {
    check(&[
        (
            "Your password? | hunter2 | Thanks. And your surname? | S, M, I, T, H",
            "Your password? | [secret] | Thanks. And your surname? | S, M, I, T, H",
        ),
        (
            "Your password? | Blue Moon. | Thanks, now the order please. | AB1234",
            "Your password? | [secret]. | Thanks, now the order please. | AB1234",
        ),
    ]);
}

#[test]
fn addresses_are_taken_out_whole() {
    check(&[
        ("john underscore smith at example dot com", "[e-mail]"),
        ("Write to john dash doe at example dot co dot uk please.", "Write to [e-mail] please."),
        ("My e-mail is john smith at gmail dot com.", "My e-mail is [e-mail]."),
        ("J, O, H, N at G M A I L dot com", "[e-mail]"),
        ("It's john 4 2 at my company dot com, thanks.", "It's [e-mail], thanks."),
        ("john plus news at example dot com", "[e-mail]"),
        ("marta punto bianchi chiocciola example punto it", "[e-mail]"),
        ("hans unterstrich meier ät web punkt de", "[e-mail]"),
        ("juan guion bajo perez arroba gmail punto com", "[e-mail]"),
        ("jean point dupont arobase orange point fr", "[e-mail]"),
        ("john dot smith | mhm | at example dot com", "[e-mail] | mhm | [e-mail]"),
        ("john (at) example (dot) com, or john @ example.com", "[e-mail], or [e-mail]"),
    ]);
}

#[test]
fn what_only_sounds_like_it_stays() {
    for said in [
        "Order 4711, 250 euros, on 19.11.2026 at 14:30, call 0351 1234567.",
        "I paid 1,250.00 euros on 12/12/2026 with the card that ends in 1111, order 20260003141592.",
        "Call me at 0039 350 1234567 or +39 350 123 4567, any time after 10 or 11.",
        "My phone is four one one, one one one, one one one one.",
        "That is one order and two invoices from 2024, 2025 and 2026.",
        "In the next four weeks, or the last two days, for 60 euros.",
        "Your card ends in 1111? | Yes, 1111.",
        "Do you have your order number? | Yes, it's A1234 5678. | Thanks.",
        "My password is still not working. The password for the portal is expired.",
        "I changed my password, it was easy. The password policy is fine.",
        "Could you tell me your password policy? | Sure, it's twelve characters.",
        "Did you forget your password? | Yes. | I'll send you a link. | Great, thank you.",
        "I forgot my password. Can you help? | Sure, one moment, it's easy.",
        "I have reset your password. Anything else? | No, thanks.",
        "Look at example.com, or find it at shop.example.com.",
        "Please never give anyone your password. | Makes sense to me.",
        "You shouldn't tell anybody your password. | Makes sense to me.",
        "So tell nobody your password. | Makes sense to me.",
        "Bitte sagen Sie niemandem Ihr Passwort. | Klingt vernünftig.",
        "We are at this point it works. Call at 5 p.m. today. Follow us @tapedeck.",
    ] {
        check(&[(said, said)]);
    }
}
