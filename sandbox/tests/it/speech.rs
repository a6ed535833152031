//! Speech: sample calls are recognised whole, in part, mixed and resampled; anything else is refused.

use reqwest::{
    Method, Response,
    multipart::{Form, Part},
};
use sandbox::{
    Vendor::Openai,
    samples::{self, Sample},
};
use serde_json::{Value, json};

use crate::{World, json};

async fn send(world: &World, audio: impl Into<Vec<u8>>, model: &str, format: &str) -> Response {
    let file = Part::bytes(audio.into()).file_name("call.wav");
    let form =
        Form::new().part("file", file).text("model", model.to_owned()).text("response_format", format.to_owned());
    let form = form.text("timestamp_granularities[]", "segment");
    world.ask(Openai, Method::POST, "/audio/transcriptions").multipart(form).send().await.unwrap()
}

async fn heard(world: &World, audio: impl Into<Vec<u8>>) -> Value {
    let answer = send(world, audio, "whisper-1", "verbose_json").await;
    assert_eq!(answer.status(), 200);
    json(answer).await
}

/// A piece of one channel, in seconds.
fn piece(sample: &Sample, channel: usize, from: f64, to: f64) -> Vec<i16> {
    let at = |seconds: f64| (seconds * 8000.0) as usize;
    sample.channels()[channel][at(from)..at(to)].to_vec()
}

/// Twice the rate, by linear interpolation.
fn resampled(samples: &[i16]) -> Vec<u8> {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 16_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut file = std::io::Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut file, spec).unwrap();
    for pair in samples.windows(2) {
        writer.write_sample(pair[0]).unwrap();
        writer.write_sample(pair[0] / 2 + pair[1] / 2).unwrap();
    }
    writer.finalize().unwrap();
    file.into_inner()
}

fn expected(sample: &Sample, channel: usize) -> String {
    let turns = sample.turns.iter().filter(|turn| turn.channel == channel);
    turns.map(|turn| turn.text.as_str()).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn one_channel_of_every_sample_is_recognised_with_its_times() {
    let world = World::new().await;
    for sample in samples::all() {
        for channel in [0, 1] {
            let heard = heard(&world, sample.channel_wav(channel)).await;
            assert_eq!(heard["text"], expected(sample, channel), "{} {channel}", sample.name);
            assert_eq!(heard["language"], "english");
            assert!((heard["duration"].as_f64().unwrap() - sample.duration).abs() < 0.01);
            let first = sample.turns.iter().find(|turn| turn.channel == channel).unwrap();
            let start = heard["segments"][0]["start"].as_f64().unwrap();
            assert!((start - first.start).abs() < 0.01, "{} {channel}: {start} {}", sample.name, first.start);
        }
    }
}

#[tokio::test]
async fn the_mix_of_both_channels_is_recognised_in_mono_and_in_stereo() {
    let world = World::new().await;
    let sample = samples::named("sales").unwrap();
    let mono = heard(&world, sample.mono_wav()).await;
    assert!(mono["text"].as_str().unwrap().contains("too expensive for a small company like ours."));
    assert!(mono["text"].as_str().unwrap().contains("I will send you an offer by Friday."));
    assert_eq!(heard(&world, sample.wav.clone()).await["text"], mono["text"]);
}

#[tokio::test]
async fn every_turn_cut_out_at_its_silence_is_recognised_at_either_rate() {
    let world = World::new().await;
    for sample in samples::all() {
        for turn in &sample.turns {
            let cut = piece(sample, turn.channel, turn.start - 0.1, turn.end + 0.1);
            for audio in [samples::wav(cut.iter().copied()).to_vec(), resampled(&cut)] {
                let heard = heard(&world, audio).await;
                assert_eq!(heard["text"], turn.text);
                let start = heard["segments"][0]["start"].as_f64().unwrap();
                assert!((start - 0.1).abs() < 0.02, "{}: {start}", turn.text);
            }
        }
    }
}

#[tokio::test]
async fn a_long_piece_has_its_sentences_at_the_right_offsets_and_a_louder_one_too() {
    let world = World::new().await;
    let sample = samples::named("support").unwrap();
    let from = sample.turns[2].start - 0.217;
    let cut: Vec<i16> = piece(sample, 1, from, sample.duration).iter().map(|at| at / 3).collect();
    let heard = heard(&world, resampled(&cut)).await;
    let mut segments = heard["segments"].as_array().unwrap().iter();
    for sentence in sample.turns[2..].iter().filter(|turn| turn.channel == 1).flat_map(|turn| &turn.sentences) {
        let segment = segments.next().unwrap();
        assert_eq!(segment["text"], format!(" {}", sentence.text));
        for (name, at) in [("start", sentence.start), ("end", sentence.end)] {
            assert!((segment[name].as_f64().unwrap() - (at - from)).abs() < 0.02, "{name} of {}", sentence.text);
        }
    }
    assert!(segments.next().is_none());
}

#[tokio::test]
async fn stretches_without_the_silence_between_them_are_recognised_one_by_one() {
    let world = World::new().await;
    for sample in samples::all() {
        for channel in [0, 1] {
            let mut joined = Vec::new();
            for turn in sample.turns.iter().filter(|turn| turn.channel == channel) {
                joined.extend(piece(sample, channel, turn.start - 0.4, turn.end));
                joined.extend([0; 4000]);
            }
            let body = heard(&world, samples::wav(joined)).await;
            assert_eq!(body["text"], expected(sample, channel), "{} {channel}", sample.name);
            let starts: Vec<f64> =
                body["segments"].as_array().unwrap().iter().map(|s| s["start"].as_f64().unwrap()).collect();
            assert!(starts.is_sorted() && (starts[0] - 0.4).abs() < 0.1, "{starts:?}");
        }
    }
}

#[tokio::test]
async fn two_pieces_cut_within_a_sentence_say_every_word_once() {
    let world = World::new().await;
    let sample = samples::named("billing").unwrap();
    let cut = sample.turns[1].start + 3.1;
    let before = heard(&world, samples::wav(piece(sample, 0, 0.0, cut))).await;
    let after = heard(&world, samples::wav(piece(sample, 0, cut, sample.duration))).await;
    let both = format!("{} {}", before["text"].as_str().unwrap(), after["text"].as_str().unwrap());
    assert_eq!(both, expected(sample, 0));
}

#[tokio::test]
async fn silence_says_nothing_and_unknown_audio_is_refused() {
    let world = World::new().await;
    let silence = heard(&world, samples::wav(vec![3; 16_000])).await;
    assert_eq!((&silence["text"], &silence["segments"]), (&json!(""), &json!([])));
    let sample = samples::named("billing").unwrap();
    let mut backwards = sample.channels()[1].clone();
    backwards.reverse();
    let hum = (0..80_000).map(|at| ((f64::from(at) / 7.0).sin() * 6000.0) as i16);
    let bursts = (0..80_000).map(|at: i32| if at / 2900 % 3 == 0 { ((at * 7919) % 9001 - 4500) as i16 } else { 0 });
    for unknown in [samples::wav(backwards), samples::wav(hum), samples::wav(bursts)] {
        let refused = send(&world, unknown, "whisper-1", "verbose_json").await;
        assert_eq!(refused.status(), 422);
        assert!(json(refused).await["error"]["message"].as_str().unwrap().contains("only knows its own sample calls"));
    }
}

#[tokio::test]
async fn requests_are_refused_as_the_vendor_does() {
    let world = World::new().await;
    let audio = samples::named("billing").unwrap().channel_wav(0);
    let broken = send(&world, b"<html>not audio</html>".to_vec(), "whisper-1", "json").await;
    assert_eq!(broken.status(), 400);
    let format = send(&world, audio.clone(), "gpt-4o-transcribe", "verbose_json").await;
    assert_eq!(format.status(), 400);
    assert_eq!(json(format).await["error"]["code"], "unsupported_value");
    let model = send(&world, audio.clone(), "tape-1", "json").await;
    assert_eq!((model.status().as_u16(), json(model).await["error"]["code"].clone()), (404, json!("model_not_found")));
    let large = send(&world, vec![0; 26_214_400], "whisper-1", "json").await;
    assert_eq!(large.status(), 413);
    let message = json(large).await["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.starts_with("413: Maximum content size limit (26214400) exceeded (262"), "{message}");
    let url = format!("{}/audio/transcriptions", world.sandbox.base_urls().openai);
    let unsigned = world.client.post(url).body("x").send().await.unwrap();
    assert_eq!(
        (unsigned.status().as_u16(), json(unsigned).await["error"]["code"].clone()),
        (401, json!("invalid_api_key"))
    );
}

#[tokio::test]
async fn the_other_formats_say_the_same() {
    let world = World::new().await;
    let sample = samples::named("appointment").unwrap();
    let plain = json(send(&world, sample.channel_wav(1), "gpt-transcribe", "json").await).await;
    assert_eq!(plain["text"], expected(sample, 1));
    assert!(plain.get("segments").is_none());
    let text = send(&world, sample.channel_wav(1), "gpt-4o-transcribe", "text").await.text().await.unwrap();
    assert_eq!(text.trim(), expected(sample, 1));
    let srt = send(&world, sample.channel_wav(1), "whisper-1", "srt").await.text().await.unwrap();
    assert!(srt.starts_with("1\n00:00:00,500 --> "), "{srt}");
    assert_eq!(world.sandbox.state().openai.transcriptions, 3);
}
