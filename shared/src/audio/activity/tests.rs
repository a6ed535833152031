use super::{
    super::sounds::{RATE, babble, mixed, noise, silence, tone},
    *,
};

fn heard(sound: &[f32]) -> Vec<Span> {
    let mut detector = Detector::new(RATE);
    sound.chunks(333).for_each(|block| detector.hear(block));
    detector.finish().speech
}

fn seconds(spans: &[Span]) -> f64 {
    spans.iter().map(|span| span.seconds()).sum()
}

fn assert_spans(found: &[Span], expected: &[(f64, f64)]) {
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for (found, (start, end)) in found.iter().zip(expected) {
        assert!((found.start - start).abs() < 0.15 && (found.end - end).abs() < 0.15, "{found:?}, not {start}-{end}");
    }
}

#[test]
fn speech_is_found_where_it_is_whatever_the_line_sounds_like() {
    for floor in [0.0, 0.0005, 0.01] {
        let sound = [silence(1.0), babble(2.0, 0.3), silence(4.0), babble(1.0, 0.2), silence(2.0)].concat();
        assert_spans(&heard(&mixed(&sound, &noise(10.0, floor))), &[(1.0, 3.0), (7.0, 8.0)]);
    }
}

#[test]
fn a_short_word_is_heard_and_a_click_is_not() {
    let click = vec![0.9; (RATE / 50) as usize];
    let spans = heard(&[silence(2.0), babble(0.3, 0.2), silence(2.0), click, silence(2.0)].concat());
    assert_spans(&spans, &[(2.0, 2.3)]);
}

#[test]
fn quiet_speech_on_a_clean_line_is_heard() {
    assert_spans(&heard(&[silence(3.0), babble(2.0, 0.01), silence(3.0)].concat()), &[(3.0, 5.0)]);
}

#[test]
fn no_word_is_missed_in_a_real_dialogue() {
    let sample = sandbox::samples::named("billing").expect("the sandbox has it");
    for (channel, samples) in sample.channels().iter().enumerate() {
        let samples: Vec<f32> = samples.iter().map(|sample| f32::from(*sample) / 32768.0).collect();
        let spans = heard(&samples);
        for sentence in sample.turns.iter().filter(|t| t.channel == channel).flat_map(|turn| &turn.sentences) {
            let said = Span { start: sentence.start, end: sentence.end };
            let found: f64 = spans.iter().map(|span| span.overlap(said)).sum();
            assert!(found > 0.8 * said.seconds(), "{found:.2} of {:.2} s: {}", said.seconds(), sentence.text);
        }
    }
}

#[test]
fn silence_hum_and_noise_are_no_speech() {
    let hum: Vec<f32> = tone(40.0, &[50.0], 0.05).iter().map(|sample| sample + 0.05).collect();
    let swelling = [noise(20.0, 0.01), noise(20.0, 0.1), noise(20.0, 0.01)].concat();
    for (name, sound) in [("silence", silence(40.0)), ("noise", noise(40.0, 0.03)), ("hum", hum), ("louder", swelling)]
    {
        assert!(seconds(&heard(&sound)) < 0.5, "{name}: {:?}", heard(&sound));
    }
}

#[test]
fn ringing_and_other_tones_are_no_speech() {
    // Ring-back as in North America and as in Europe; a busy tone; a beep.
    let cases: [(&[f64], f64, f64); 4] =
        [(&[440.0, 480.0], 2.0, 4.0), (&[425.0], 1.0, 4.0), (&[480.0, 620.0], 0.5, 0.5), (&[1000.0], 10.0, 0.1)];
    for (pitches, on, off) in cases {
        let ringing = [tone(on, pitches, 0.2), silence(off)].concat().repeat(5);
        assert_spans(&heard(&ringing), &[]);
        let call = [ringing, silence(0.5), babble(2.0, 0.2), silence(0.5)].concat();
        assert!((seconds(&heard(&call)) - 2.0).abs() < 0.3, "{pitches:?}: {:?}", heard(&call));
    }
}
