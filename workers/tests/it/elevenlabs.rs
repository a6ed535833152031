//! Calls with agents, from their webhooks or without any to the CRM, in both shapes.

use futures::TryStreamExt;
use sandbox::{CallMode, Fault, PlaceCall, Vendor, samples};
use shared::{
    db,
    domain::{Call, CallStatus, Conclusion, EventKind, NewEvent, ProviderId},
    testing::eventually,
};

use crate::running::{Running, in_both_shapes};

const ELEVENLABS: ProviderId = ProviderId::new("elevenlabs");
const NO_KEY: [(&str, &str); 1] = [("ELEVENLABS_API_KEY", "")];
const NO_MODEL: [(&str, &str); 2] = [("OPENAI_API_KEY", ""), ("OPENAI_BASE_URL", "")];
const POLLING: [(&str, &str); 2] = [("ELEVENLABS_POLLING", "on"), ("ELEVENLABS_POLL_INTERVAL_MINUTES", "0.01")];

in_both_shapes! {
    the_audio_of_a_webhook_is_the_recording: &NO_KEY,
    audio_is_kept_once_whichever_way_it_comes: &[],
    without_audio_the_agents_own_words_are_judged: &[],
    without_a_model_what_the_provider_made_of_the_call_is_told_as_its_own: &NO_MODEL,
    a_call_that_nobody_took_is_told_as_it_is: &[],
    a_call_that_no_webhook_tells_of_is_found: &POLLING,
    audio_alone_is_enough_to_find_out_the_rest: &[],
}

fn order(at: &Running, sample: &str, mode: CallMode) -> PlaceCall {
    at.order("elevenlabs", sample, mode)
}

/// The id of a call that was had.
async fn place(at: &Running, order: PlaceCall) -> String {
    at.place(order).await.call_uuid
}

/// Waits until all our work on the call is done, and all its events are known.
async fn concludes(at: &Running, id: &str) -> Call {
    at.concludes(&ELEVENLABS, id, |facts| facts.ended_at.is_some()).await
}

async fn bytes(at: &Running, call: &Call) -> (Vec<u8>, String) {
    let recording = db::recordings::find(&at.app.db, call.id).await.unwrap().unwrap();
    let stream = at.app.recordings.get(&recording.object_key, None).await.unwrap();
    (stream.try_collect::<Vec<_>>().await.unwrap().concat(), recording.object_key)
}

async fn the_audio_of_a_webhook_is_the_recording(at: Running) {
    for (sample, mode) in [("billing", CallMode::EndedWithUrl), ("sales", CallMode::EndedThenRecording)] {
        let mut order = order(&at, sample, mode);
        order.duplicates = 1;
        let id = place(&at, order).await;
        let call = concludes(&at, &id).await;
        assert_eq!(call.conclusion, Some(Conclusion::Analyzed));
        let sample = samples::named(sample).unwrap();
        assert_eq!(bytes(&at, &call).await.0, sample.mono_wav());
        assert_eq!(call.facts.external_phone.as_ref().map(ToString::to_string).as_ref(), Some(&sample.contact.phone));
        at.told_once("ElevenLabs", &id).await;
    }
    assert!(at.sandbox.asked(Vendor::Elevenlabs, "").is_empty(), "there is no key to ask with");
    at.stop().await;
}

async fn audio_is_kept_once_whichever_way_it_comes(at: Running) {
    let mut late = order(&at, "support", CallMode::ApiFallback);
    late.not_ready_times = 2;
    let (fetched, both) = (place(&at, late).await, place(&at, order(&at, "sales", CallMode::EndedThenRecording)).await);
    let call = concludes(&at, &fetched).await;
    assert_eq!(bytes(&at, &call).await.0, samples::named("support").unwrap().mono_wav());
    let call = concludes(&at, &both).await;
    let (kept, key) = bytes(&at, &call).await;
    assert_eq!(kept, samples::named("sales").unwrap().mono_wav());
    let received = call.facts.received.unwrap().object_key;
    eventually("a second copy is gone", async || {
        key == received || at.app.recordings.size(&received).await.unwrap().is_none()
    })
    .await;
    at.told_once("ElevenLabs", &both).await;
    at.stop().await;
}

async fn without_audio_the_agents_own_words_are_judged(at: Running) {
    let id = place(&at, order(&at, "billing", CallMode::NotRecorded)).await;
    let call = concludes(&at, &id).await;
    assert_eq!(call.conclusion, Some(Conclusion::Analyzed));
    assert!(db::recordings::find(&at.app.db, call.id).await.unwrap().is_none());
    let transcript = db::transcripts::find(&at.app.db, call.id).await.unwrap().unwrap();
    let said = &samples::named("billing").unwrap().turns;
    assert_eq!((transcript.model.as_str(), transcript.turns.len()), ("elevenlabs", said.len()));
    at.told_once("ElevenLabs", &id).await;
    assert!(at.sandbox.asked(Vendor::Openai, "audio").is_empty(), "nobody was paid to listen");
    at.stop().await;
}

async fn without_a_model_what_the_provider_made_of_the_call_is_told_as_its_own(at: Running) {
    let id = place(&at, order(&at, "billing", CallMode::NotRecorded)).await;
    let call = concludes(&at, &id).await;
    assert_eq!(call.conclusion, Some(Conclusion::Analyzed));
    let feedback = db::feedback::find(&at.app.db, call.id).await.unwrap().unwrap();
    assert_eq!((feedback.model.as_str(), feedback.judged.sentiment), ("elevenlabs", None));
    at.told_once("ElevenLabs", &id).await;
    let title = &samples::named("billing").unwrap().title;
    let summary = format!("📝 Summary by ElevenLabs: {title}");
    let note = at.notes(&id).into_iter().find(|note| note.contains(&summary)).unwrap();
    assert!(note.contains("- topic: billing") && note.contains("Did well: polite: The caller was thanked."), "{note}");
    assert!(!note.contains("Sentiment"), "nobody said: {note}");
    assert!(at.sandbox.asked(Vendor::Openai, "").is_empty(), "nobody was asked");
    at.stop().await;
}

async fn a_call_that_nobody_took_is_told_as_it_is(at: Running) {
    let id = place(&at, order(&at, "appointment", CallMode::Missed)).await;
    let call = concludes(&at, &id).await;
    assert_eq!((call.facts.status, call.conclusion), (Some(CallStatus::Missed), Some(Conclusion::NotRecorded)));
    eventually("the CRM knows it", async || at.notes(&id).len() == 1).await;
    at.stop().await;
}

async fn a_call_that_no_webhook_tells_of_is_found(at: Running) {
    // Webhooks that nobody answers are lost: audio is never sent again.
    let mut order = order(&at, "billing", CallMode::EndedThenRecording);
    order.webhook_base = "http://127.0.0.1:9".to_owned();
    at.sandbox.fault(Fault::status(Vendor::Elevenlabs, 503).times(2));
    let id = at.sandbox.place_call(order).await.unwrap().call_uuid;
    let call = concludes(&at, &id).await;
    assert_eq!(call.conclusion, Some(Conclusion::Analyzed));
    assert_eq!(bytes(&at, &call).await.0, samples::named("billing").unwrap().mono_wav());
    at.told_once("ElevenLabs", &id).await;
    at.stop().await;
}

async fn audio_alone_is_enough_to_find_out_the_rest(at: Running) {
    let mut silent = order(&at, "sales", CallMode::EndedWithUrl);
    silent.webhook_base = "http://127.0.0.1:9".to_owned();
    let id = at.sandbox.place_call(silent).await.unwrap().call_uuid;
    let event = NewEvent {
        provider: ELEVENLABS,
        account: "default".into(),
        kind: EventKind::RecordingAvailable,
        dedupe_key: format!("post_call_audio:{id}"),
        body: format!(r#"{{"type":"post_call_audio","data":{{"conversation_id":"{id}","full_audio":""}}}}"#)
            .into_bytes(),
    };
    db::events::learn(&at.app.db, vec![event], None, at.app.clock.now()).await.unwrap();
    let call = concludes(&at, &id).await;
    assert!(call.facts.external_phone.is_some() && call.facts.direction.is_some());
    assert_eq!(call.conclusion, Some(Conclusion::Analyzed));
    at.told_once("ElevenLabs", &id).await;
    at.stop().await;
}
