//! A call step by step: it rings, is answered, and ends; what records it meanwhile ends with it.

use anyhow::Context;

use super::{callback, calls::Call, recordings::Recording};
use crate::{
    calls::WebhookAnswer,
    samples::{self, Sample},
    world::World,
};

/// A call that rings. Returns its id.
pub(crate) fn dial(world: &World, sample: &str) -> anyhow::Result<String> {
    let sample = samples::named(sample).context("no such sample call")?;
    let call = Call { status: "ringing", ..Call::of(&world.twilio, sample, None, None) };
    let sid = call.sid.clone();
    world.twilio.calls().insert(sid.clone(), call);
    Ok(sid)
}

/// Somebody takes the call.
pub(crate) fn answer(world: &World, sid: &str) -> anyhow::Result<()> {
    world.twilio.calls().get_mut(sid).context("no such call")?.status = "in-progress";
    Ok(())
}

/// A call that somebody else's agent rings up with, taken and recorded at once. Nobody asked to be told of the recording.
pub(crate) fn carry(world: &World, sid: &str, to: &str, sample: &'static Sample) {
    let called = Call::of(&world.twilio, sample, None, None);
    let (from, to) = (sample.internal_number.clone(), to.to_owned());
    let call = Call { sid: sid.to_owned(), status: "in-progress", inbound: false, from, to, ..called };
    let recording = Recording::running(format!("RE{:032x}", world.twilio.next()), &call);
    world.twilio.recordings().insert(recording.sid.clone(), recording);
    world.twilio.calls().insert(call.sid.clone(), call);
}

/// The call ends, its recordings are complete, and whoever wanted to hear of them is told, signed with this token.
pub(crate) async fn hang_up(world: &World, sid: &str, token: &str) -> anyhow::Result<Vec<WebhookAnswer>> {
    let ended = end(world, sid).context("no such call")?;
    let mut answers = Vec::new();
    for recording in &ended {
        answers.extend(callback::post(world, token, recording).await);
    }
    Ok(answers)
}

/// The call ends. Returns the recordings that ended with it; none where nobody had taken it.
pub(crate) fn end(world: &World, sid: &str) -> Option<Vec<Recording>> {
    let (answered, seconds) = {
        let mut calls = world.twilio.calls();
        let call = calls.get_mut(sid)?;
        if !matches!(call.status, "ringing" | "in-progress") {
            return Some(Vec::new());
        }
        let answered = call.status == "in-progress";
        call.status = if answered { "completed" } else { "no-answer" };
        (answered, call.seconds)
    };
    let mut recordings = world.twilio.recordings();
    let running = |held: &&mut Recording| held.call_sid == sid && held.status == "in-progress";
    let end = |held: &mut Recording| {
        (held.status, held.seconds) = ("completed", seconds);
        held.clone()
    };
    let ended: Vec<_> = recordings.values_mut().filter(running).map(end).collect();
    Some(ended.into_iter().filter(|_| answered).collect())
}
