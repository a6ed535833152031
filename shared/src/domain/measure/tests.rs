#![expect(clippy::unwrap_used, reason = "tests may panic")]

use proptest::prelude::*;

use super::*;

fn turn(speaker: Speaker, start: f64, end: f64, text: &str) -> Turn {
    Turn { start, end, speaker, text: text.to_owned() }
}

fn agent(start: f64, end: f64, text: &str) -> Turn {
    turn(Speaker::Agent, start, end, text)
}

fn caller(start: f64, end: f64, text: &str) -> Turn {
    turn(Speaker::Caller, start, end, text)
}

fn timed(turns: Vec<Turn>) -> Transcript {
    Transcript { turns, timed: true, ..Transcript::default() }
}

fn near(left: f64, right: f64) -> bool {
    (left - right).abs() < 1e-6
}

#[test]
fn a_call_measures_as_counted_by_hand() {
    // Nobody: 0-1, 7-8, 14-20. Agent: 1-4 and 4.5-7, of which 0.5 s of silence; caller 8-14.
    let turns = vec![
        agent(1.0, 4.0, "good morning how can I help"),
        agent(4.5, 7.0, "are you still there"),
        caller(8.0, 14.0, "yes my invoice is wrong please look at it"),
    ];
    let measured = measure(&timed(turns), 20.0, true);
    assert_eq!(measured.duration_seconds, 20.0);
    assert!(near(measured.silence_ratio.unwrap(), 8.5 / 20.0));
    assert!(near(measured.longest_silence_seconds.unwrap(), 6.0));
    assert!(near(measured.talk_ratio.unwrap(), 5.5 / 11.5));
    assert_eq!(measured.interruptions, Some(0));
    assert!(near(measured.words_per_minute.unwrap(), 19.0 * 60.0 / 11.5));
    let (agent, caller) = (measured.agent.unwrap(), measured.caller.unwrap());
    assert!(near(agent.talk_seconds, 5.5) && near(agent.longest_monologue_seconds, 6.0));
    assert!(near(agent.words_per_minute.unwrap(), 10.0 * 60.0 / 5.5));
    assert!(near(caller.talk_seconds, 6.0) && near(caller.longest_monologue_seconds, 6.0));
    assert!(near(caller.words_per_minute.unwrap(), 90.0));
}

#[test]
fn a_monologue_ends_with_the_others_turn_but_not_with_a_mhm() {
    let monologue = |between: Turn| {
        let turns = vec![agent(0.0, 5.0, "one two three"), between, agent(5.5, 9.0, "four five six")];
        measure(&timed(turns), 10.0, true).agent.unwrap().longest_monologue_seconds
    };
    assert!(near(monologue(caller(5.0, 5.5, "mhm")), 9.0));
    assert!(near(monologue(caller(4.0, 5.5, "but that is wrong")), 5.0));
    assert!(near(monologue(caller(9.0, 10.0, "but that is wrong")), 9.0), "it begins afterwards");
}

#[test]
fn a_pause_of_a_second_ends_a_monologue() {
    let turns = vec![agent(0.0, 5.0, "one two three"), agent(6.0, 9.0, "four five six")];
    assert!(near(measure(&timed(turns), 10.0, true).agent.unwrap().longest_monologue_seconds, 5.0));
}

#[test]
fn only_real_interruptions_count() {
    let count = |turns: Vec<Turn>| measure(&timed(turns), 60.0, true).interruptions;
    let long = || agent(0.0, 10.0, "let me tell you about it");
    assert_eq!(count(vec![long(), caller(8.0, 12.0, "no thank you not today")]), Some(1));
    assert_eq!(count(vec![long(), caller(9.8, 12.0, "no thank you not today")]), Some(0), "a handover");
    assert_eq!(count(vec![long(), caller(5.0, 5.6, "mhm")]), Some(0), "a backchannel");
    assert_eq!(count(vec![long(), caller(10.0, 12.0, "no thank you not today")]), Some(0), "a turn");
    assert_eq!(count(vec![long(), caller(0.0, 12.0, "both began at once here")]), Some(0), "nobody was first");
    let resumed = vec![long(), caller(9.0, 12.0, "no thank you not"), agent(10.5, 14.0, "but it is cheap")];
    assert_eq!(count(resumed), Some(1), "who was interrupted only goes on");
    let answered = vec![long(), caller(9.0, 15.0, "no thank you not"), agent(12.0, 16.0, "but it is cheap")];
    assert_eq!(count(answered), Some(2));
}

#[test]
fn what_cannot_be_known_is_absent() {
    let turns = || vec![agent(0.0, 4.0, "good morning there"), caller(3.0, 9.0, "hello hello hello")];
    let guessed = measure(&Transcript { timed: false, ..timed(turns()) }, 10.0, true);
    assert_eq!(guessed, Measured { duration_seconds: 10.0, ..Measured::default() }, "times are not real");

    let diarized = measure(&timed(turns()), 10.0, false);
    assert!(diarized.talk_ratio.is_some());
    assert_eq!(diarized.interruptions, None, "one channel cannot hold two voices apart at once");

    let mut unknown = turns();
    unknown[1].speaker = Speaker::Unknown;
    let unknown = measure(&timed(unknown), 10.0, true);
    assert_eq!((unknown.talk_ratio, unknown.agent, unknown.caller, unknown.interruptions), (None, None, None, None));
    assert!(near(unknown.silence_ratio.unwrap(), 0.1));
    assert!(near(unknown.words_per_minute.unwrap(), 40.0));

    let one_voice = measure(&timed(turns()[..1].to_vec()), 10.0, false);
    assert_eq!(one_voice.talk_ratio, None, "a mono recording with one label was not told apart");
    assert_eq!(measure(&timed(turns()[..1].to_vec()), 10.0, true).talk_ratio, Some(1.0));

    let blip = measure(&timed(vec![agent(0.0, 0.2, "hello")]), 10.0, true);
    assert_eq!(blip.words_per_minute, None, "a pace needs some talk");
    let japanese = vec![agent(0.0, 4.0, "お電話ありがとうございます。どのようなご用件でしょうか。")];
    assert_eq!(measure(&timed(japanese), 10.0, true).words_per_minute, None, "no spaces, no words to count");
    assert_eq!(measure(&timed(turns()), 0.0, true), Measured::default());
}

#[test]
fn a_silent_recording_is_all_silence() {
    let measured = measure(&timed(Vec::new()), 12.0, true);
    assert_eq!((measured.silence_ratio, measured.longest_silence_seconds), (Some(1.0), Some(12.0)));
    assert_eq!((measured.talk_ratio, measured.words_per_minute, measured.agent), (None, None, None));
}

fn any_turns() -> impl Strategy<Value = Vec<Turn>> {
    let speaker = prop_oneof![Just(Speaker::Agent), Just(Speaker::Caller)];
    let words = (0_usize..12).prop_map(|n| vec!["word"; n].join(" "));
    let turn = (speaker, 0.0..110.0_f64, 0.0..20.0_f64, words);
    prop::collection::vec(turn, 0..25).prop_map(|turns| {
        turns
            .into_iter()
            .map(|(speaker, start, length, text)| self::turn(speaker, start, start + length, &text))
            .collect()
    })
}

proptest! {
    #[test]
    fn every_number_stays_in_its_range(turns in any_turns(), channels_known: bool) {
        let m = measure(&timed(turns), 100.0, channels_known);
        let silence = m.silence_ratio.unwrap();
        prop_assert!((0.0..=1.0).contains(&silence));
        prop_assert!((0.0..=silence * 100.0 + 1e-6).contains(&m.longest_silence_seconds.unwrap()));
        prop_assert!(m.talk_ratio.is_none_or(|r| (0.0..=1.0).contains(&r)));
        for party in [&m.agent, &m.caller].into_iter().flatten() {
            prop_assert!((0.0..=100.0 * (1.0 - silence) + 1e-6).contains(&party.talk_seconds));
            prop_assert!((0.0..=100.0).contains(&party.longest_monologue_seconds));
        }
        prop_assert_eq!(m.agent.is_some(), m.caller.is_some());
    }

    #[test]
    fn talk_and_silence_make_up_the_call(turns in any_turns()) {
        let m = measure(&timed(turns), 100.0, true);
        if let (Some(agent), Some(caller)) = (m.agent, m.caller) {
            let (talk, silence) = (agent.talk_seconds + caller.talk_seconds, m.silence_ratio.unwrap() * 100.0);
            prop_assert!(talk + silence >= 100.0 - 1e-6, "what is no silence is somebody's talk");
            prop_assert!(agent.talk_seconds.max(caller.talk_seconds) + silence <= 100.0 + 1e-6);
        }
    }

    #[test]
    fn the_order_of_the_turns_does_not_matter(turns in any_turns()) {
        let mut reversed = turns.clone();
        reversed.reverse();
        let (left, right) = (measure(&timed(turns), 100.0, true), measure(&timed(reversed), 100.0, true));
        prop_assert_eq!(left.interruptions, right.interruptions);
        prop_assert_eq!(left.longest_silence_seconds, right.longest_silence_seconds);
        prop_assert_eq!(left.talk_ratio, right.talk_ratio);
    }

    #[test]
    fn exchanging_the_parties_mirrors_the_numbers(turns in any_turns()) {
        let exchanged = turns.iter().cloned().map(|t| Turn {
            speaker: if t.speaker == Speaker::Agent { Speaker::Caller } else { Speaker::Agent },
            ..t
        });
        let (left, right) = (measure(&timed(turns.clone()), 100.0, true), measure(&timed(exchanged.collect()), 100.0, true));
        prop_assert_eq!(left.agent, right.caller);
        prop_assert_eq!(left.interruptions, right.interruptions);
        if let (Some(left), Some(right)) = (left.talk_ratio, right.talk_ratio) {
            prop_assert!(near(left + right, 1.0));
        }
    }

    #[test]
    fn odd_times_are_survived(start in any::<f64>(), end in any::<f64>(), duration in any::<f64>()) {
        let turn = turn(Speaker::Agent, start, end, "hello there");
        let m = measure(&timed(vec![turn]), duration, true);
        prop_assert!(m.silence_ratio.is_none_or(|r| (0.0..=1.0).contains(&r)));
    }
}
