//! Answering machines that the provider took for people.

use super::{Speaker, Transcript};

/// What their greetings ask for, in the languages of most calls.
const GREETINGS: [&str; 27] = [
    "after the tone",
    "after the beep",
    "at the tone",
    "at the beep",
    "please leave your message",
    "please leave a message",
    "please leave me a message",
    "please leave us a message",
    "record your message",
    "dopo il segnale",
    "dopo il bip",
    "lasciate un messaggio",
    "lascia un messaggio",
    "nach dem signalton",
    "nach dem ton",
    "nach dem piepton",
    "après le bip",
    "après le signal",
    "laissez un message",
    "laissez votre message",
    "después de la señal",
    "después del tono",
    "deje su mensaje",
    "após o sinal",
    "deixe a sua mensagem",
    "deixe sua mensagem",
    "na de pieptoon",
];
/// A greeting is not longer than this, in words.
const LONGEST: usize = 80;
/// Words behind the greeting with which nobody has answered yet.
const REST: usize = 12;

/// Whether the other side is a machine that asked for a message, and nobody spoke after it. Where speakers are not told apart, a
/// message that was left counts as speaking: then it is not known that there was no conversation.
pub fn reached_voicemail(transcript: &Transcript) -> bool {
    let theirs =
        transcript.turns.iter().filter(|turn| turn.speaker != Speaker::Agent).map(|turn| turn.text.to_lowercase());
    let spaced = |c: char| if c.is_alphanumeric() { c } else { ' ' };
    let text: String = theirs.flat_map(|text| text.chars().map(spaced).chain([' ']).collect::<Vec<_>>()).collect();
    let words: Vec<_> = text.split_whitespace().collect();
    let text = words.join(" ");
    let behind = GREETINGS.iter().filter_map(|greeting| Some(text.rfind(greeting)? + greeting.len())).max();
    let rest = behind.map(|at| text[at..].split_whitespace().count());
    words.len() <= LONGEST && rest.is_some_and(|rest| rest <= REST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Turn;

    fn reached(turns: &[(Speaker, &str)]) -> bool {
        let turn = |(speaker, text): &(Speaker, &str)| Turn {
            start: 0.0,
            end: 1.0,
            speaker: *speaker,
            text: (*text).to_owned(),
        };
        reached_voicemail(&Transcript { turns: turns.iter().map(turn).collect(), ..Transcript::default() })
    }

    const GREETING: &str =
        "Hi, you have reached Luca. I cannot take your call right now. Please leave a message after the tone.";

    #[test]
    fn a_greeting_that_nobody_follows_is_a_machine() {
        let message =
            "Hello Luca, this is Elena from Brightline. I call about the offer, please call me back on Monday.";
        assert!(reached(&[(Speaker::Caller, GREETING), (Speaker::Agent, message)]));
        assert!(reached(&[(Speaker::Unknown, GREETING)]));
        assert!(reached(&[(Speaker::Voice(1), "Bitte hinterlassen Sie eine Nachricht nach dem Signalton.")]));
    }

    #[test]
    fn somebody_who_answers_is_a_conversation() {
        let picks_up = "Hello? Sorry, I was just coming in. This is Luca, what can I do for you today? I have time.";
        assert!(!reached(&[(Speaker::Caller, GREETING), (Speaker::Agent, "Hello Luca."), (Speaker::Caller, picks_up)]));
        assert!(!reached(&[(Speaker::Unknown, GREETING), (Speaker::Unknown, picks_up)]));
        assert!(!reached(&[(Speaker::Caller, "Could I leave a message for Roberto?"), (Speaker::Agent, "Sure.")]));
        assert!(!reached(&[(Speaker::Agent, GREETING), (Speaker::Caller, "Hello, my router is broken.")]), "our own");
    }
}
