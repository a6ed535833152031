//! Places a call that was recorded, or not, and tells of it as Twilio does: by a callback, or not at all.

use super::{
    callback::{self, Callback},
    calls::Call,
    recordings::Recording,
};
use crate::{
    calls::{CallMode, PlaceCall, PlacedCall},
    samples::Sample,
    world::World,
};

/// `order.secret` is the account's auth token.
pub(crate) async fn place(world: &World, order: &PlaceCall, sample: &'static Sample) -> PlacedCall {
    let phone = order.contact_phone.as_deref();
    let mut call = Call::of(&world.twilio, sample, phone, order.call_id);
    if order.mode == CallMode::Missed {
        (call.status, call.seconds) = ("no-answer", 0);
    }
    let recording = (order.mode != CallMode::Missed).then(|| recording(world, order, &call));
    let call_sid = call.sid.clone();
    let number = u64::from_str_radix(call_sid.trim_start_matches("CA"), 16).unwrap_or_default();
    world.twilio.calls().insert(call_sid.clone(), call);
    let mut answers = Vec::new();
    if let Some(recording) = recording {
        world.twilio.recordings().insert(recording.sid.clone(), recording.clone());
        for _ in 0..=order.duplicates {
            answers.extend(callback::post(world, &order.secret, &recording).await);
        }
    }
    PlacedCall { call_id: number, call_uuid: call_sid, recording_url: None, answers }
}

fn recording(world: &World, order: &PlaceCall, call: &Call) -> Recording {
    let absent = order.mode == CallMode::NotRecorded;
    let url = format!("{}/webhooks/twilio-recording", order.webhook_base.trim_end_matches('/'));
    Recording {
        sid: format!("RE{:032x}", world.twilio.next()),
        call_sid: call.sid.clone(),
        status: if absent { "absent" } else { "completed" },
        source: "DialVerb",
        channels: if order.mono { 1 } else { 2 },
        mono: order.mono,
        error_code: absent.then_some(16101),
        seconds: if absent { 0 } else { call.seconds },
        started_at: call.started_at,
        not_ready_times: order.not_ready_times,
        served: 0,
        callback: (order.mode != CallMode::ApiFallback).then(|| Callback::everything(url)),
        sample: call.sample,
    }
}
