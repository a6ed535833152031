//! Places a call with an agent and tells of it by webhooks, as they do.

use anyhow::Context;

use super::{conversation::Conversation, webhooks};
use crate::{
    calls::{CallMode, PlaceCall, PlacedCall, WebhookAnswer},
    samples::Sample,
    twilio,
    world::World,
};

/// `order.secret` is the webhook's. The audio comes first with `EndedWithUrl`, after the transcript with
/// `EndedThenRecording`, and not at all with `ApiFallback`: then the API has it.
pub(crate) async fn place(world: &World, order: &PlaceCall, sample: &'static Sample) -> PlacedCall {
    let number = order.call_id.unwrap_or_else(|| world.elevenlabs.next());
    let mut held = Conversation::new(number, sample);
    held.keeps_audio = order.mode != CallMode::NotRecorded;
    held.not_ready_times = order.not_ready_times;
    if order.mode == CallMode::Missed {
        (held.status, held.outbound) = ("failed", true);
    }
    if let Some(phone) = &order.contact_phone {
        held.phone.clone_from(phone);
    }
    let id = held.id.clone();
    let posted = match order.mode {
        CallMode::EndedWithUrl => vec![webhooks::audio(&held), webhooks::transcription(&held)],
        CallMode::EndedThenRecording => vec![webhooks::transcription(&held), webhooks::audio(&held)],
        CallMode::ApiFallback | CallMode::NotRecorded => vec![webhooks::transcription(&held)],
        CallMode::Missed => vec![webhooks::failure(&held)],
    };
    world.elevenlabs.conversations().insert(id.clone(), held);
    let mut answers = Vec::new();
    for webhook in posted {
        for _ in 0..=order.duplicates {
            answers.push(webhooks::post(world, &order.webhook_base, &order.secret, &webhook).await);
        }
    }
    PlacedCall { call_id: number, call_uuid: id, recording_url: None, answers }
}

/// Ends a conversation that was started through the API; without a webhook when `base` is empty.
pub(crate) async fn end(world: &World, id: &str, base: &str, secret: &str) -> anyhow::Result<Vec<WebhookAnswer>> {
    let posted = {
        let mut conversations = world.elevenlabs.conversations();
        let held = conversations.get_mut(id).with_context(|| format!("no conversation {id}"))?;
        held.status = "done";
        twilio::end(world, &held.call_sid);
        [webhooks::transcription(held), webhooks::audio(held)]
    };
    let mut answers = Vec::new();
    for webhook in posted.iter().filter(|_| !base.is_empty()) {
        answers.push(webhooks::post(world, base, secret, webhook).await);
    }
    Ok(answers)
}
