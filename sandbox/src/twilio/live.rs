//! A call step by step: it rings, is answered, and ends; what records it meanwhile ends with it.

use anyhow::Context;

use super::{callback, calls::Call};
use crate::{calls::WebhookAnswer, samples, world::World};

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

/// The call ends, its recordings are complete, and whoever wanted to hear of them is told, signed with this token.
pub(crate) async fn hang_up(world: &World, sid: &str, token: &str) -> anyhow::Result<Vec<WebhookAnswer>> {
    let (answered, seconds) = {
        let mut calls = world.twilio.calls();
        let call = calls.get_mut(sid).context("no such call")?;
        let answered = call.status == "in-progress";
        call.status = if answered { "completed" } else { "no-answer" };
        (answered, call.seconds)
    };
    let ended: Vec<_> = {
        let mut recordings = world.twilio.recordings();
        let running = |held: &&mut super::Recording| held.call_sid == sid && held.status == "in-progress";
        let end = |held: &mut super::Recording| {
            (held.status, held.seconds) = ("completed", seconds);
            held.clone()
        };
        recordings.values_mut().filter(running).map(end).collect()
    };
    let mut answers = Vec::new();
    for recording in ended.iter().filter(|_| answered) {
        answers.extend(callback::post(world, token, recording).await);
    }
    Ok(answers)
}
