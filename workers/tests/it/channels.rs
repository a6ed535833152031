//! What the transcribe step makes of a recording's channels.

use futures::TryStreamExt;
use shared::{
    audio::Waveform,
    domain::{Evidence, Layout, Speaker},
};

use crate::transcribe::{KEY, World, sample, transcript};

/// Both voices in one, as samples.
fn mono() -> Vec<i16> {
    let [caller, agent] = sample().channels();
    caller.iter().zip(&agent).map(|(caller, agent)| caller / 2 + agent / 2).collect()
}

fn stereo(left: &[i16], right: &[i16]) -> Vec<u8> {
    let spec =
        hound::WavSpec { channels: 2, sample_rate: 8000, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    let mut file = std::io::Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut file, spec).unwrap();
    for (left, right) in left.iter().zip(right) {
        writer.write_sample(*left).unwrap();
        writer.write_sample(*right).unwrap();
    }
    writer.finalize().unwrap();
    file.into_inner()
}

#[tokio::test]
async fn where_the_wrong_party_answers_the_phone_nobody_is_named() {
    let world = World::new(&[]).await;
    let [caller, agent] = sample().channels();
    let swapped = stereo(&agent, &caller);
    let call = world.call(Some(&swapped), None).await;
    let outcome = world.run(&call).await.unwrap();
    let transcript = transcript(&outcome).unwrap();
    assert!(transcript.turns.iter().all(|turn| matches!(turn.speaker, Speaker::Voice(1 | 2))));
    let channels = transcript.channels.as_ref().unwrap();
    assert_eq!((channels.layout, channels.evidence), (Layout::Separate, Evidence::Contradicts));
    assert!(channels.confidence < 0.5, "{}", channels.confidence);
}

#[tokio::test]
async fn two_channels_of_the_same_sound_are_bought_once_and_a_dead_one_never() {
    let world = World::new(&[]).await;
    let mono = mono();
    for (wav, layout) in [
        (stereo(&mono, &mono), Layout::DualMono),
        (stereo(&vec![0; mono.len()], &mono), Layout::OneLive),
        (stereo(&mono, &vec![0; mono.len()]), Layout::OneLive),
    ] {
        let before = world.bought();
        let call = world.call(Some(&wav), None).await;
        let outcome = world.run(&call).await.unwrap();
        let transcript = transcript(&outcome).unwrap();
        let words: Vec<_> = transcript.turns.iter().flat_map(|turn| turn.text.split_whitespace()).collect();
        let said: Vec<_> = sample().turns.iter().flat_map(|turn| turn.text.split_whitespace()).collect();
        assert_eq!(words, said, "{layout:?}");
        assert_eq!((transcript.channels.as_ref().unwrap().layout, world.bought() - before), (layout, 1));
        assert!(transcript.turns.iter().all(|turn| turn.speaker == Speaker::Unknown));
    }
}

#[tokio::test]
async fn the_waveform_is_kept_beside_the_recording() {
    let world = World::new(&[]).await;
    let call = world.call(Some(&sample().wav), None).await;
    world.run(&call).await.unwrap();
    let bytes = world.app.recordings.get(&format!("{KEY}.waveform.json"), None).await.unwrap();
    let json: Vec<u8> =
        bytes.try_fold(Vec::new(), async |all, chunk| Ok([all, chunk.to_vec()].concat())).await.unwrap();
    let waveform: Waveform = serde_json::from_slice(&json).unwrap();
    assert!((waveform.duration_seconds - sample().duration).abs() < 0.01);
    assert!(waveform.channels.iter().all(|points| (1000..=2000).contains(&points.len())));
    let greeting = (1.0 / waveform.seconds_per_point) as usize;
    assert!(waveform.channels[0][..greeting].iter().all(|point| *point == 0), "the caller is silent");
    assert!(waveform.channels[1][..greeting].iter().any(|point| *point > 50), "the agent greets");
}

#[tokio::test]
async fn channels_are_labelled_as_the_setting_says() {
    let world = World::new(&[("CHANNELS_CLOUDTALK", "agent,caller")]).await;
    let call = world.call(Some(&sample().wav), None).await;
    let outcome = world.run(&call).await.unwrap();
    let expected = [Speaker::Agent, Speaker::Caller][sample().turns[0].channel];
    assert_eq!(transcript(&outcome).unwrap().turns[0].speaker, expected);
}
