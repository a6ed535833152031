//! Starts to record a call that is going on: "Create a Recording" (facts: telephony §2.1).

use std::time::Duration;

use anyhow::anyhow;

use super::{
    CALLBACK_FRAGMENT,
    api::{self, Api},
};
use crate::{
    domain::{StepError, Verdict},
    providers::Live,
};

/// The call is not in the state for it: not answered yet, or over.
const WRONG_STATE: i64 = 21220;
/// Something else is being done to the call at this moment.
const BUSY: i64 = 16114;
/// Until the next look at a call that rings.
const LOOK: Duration = Duration::from_secs(2);

/// Looks first whether it is recorded: the answer to an earlier try may have been lost.
pub(super) async fn record(api: &Api, public: Option<&str>, call_sid: &str) -> Result<Live, StepError> {
    if !api.is_id("CA", call_sid) {
        return Err(StepError::fail("broken-call-id", anyhow!("the call's id is none of Twilio's")));
    }
    let known = api.recordings_of(call_sid).await?;
    if known.iter().any(|one| !matches!(one["status"].as_str(), Some("absent" | "deleted" | "failed"))) {
        return Ok(Live::Recording);
    }
    let callback = public.map(|base| format!("{base}{}{CALLBACK_FRAGMENT}", api.dialect().routes[0].path));
    let mut form = vec![("RecordingChannels", "dual")];
    if let Some(callback) = &callback {
        form.push(("RecordingStatusCallback", callback));
        form.push(("RecordingStatusCallbackEvent", "in-progress completed absent"));
    }
    let error = match api.record(call_sid, &form).await {
        Ok(_) => return Ok(Live::Recording),
        Err(error) => error,
    };
    match api::code(&error) {
        Some(WRONG_STATE) => state(api, call_sid).await,
        Some(BUSY) => {
            let retry = StepError::retry("call-busy", error);
            Err(StepError { verdict: Verdict::Retry { after: Some(LOOK) }, ..retry })
        }
        _ => Err(error.into()),
    }
}

/// A call that cannot be recorded now: may it be later?
async fn state(api: &Api, call_sid: &str) -> Result<Live, StepError> {
    let call = api.call(call_sid).await?;
    match call["status"].as_str() {
        Some("queued" | "initiated" | "ringing" | "in-progress") => {
            Err(StepError::snooze("call-not-answered", LOOK, anyhow!("the call is not answered yet")))
        }
        _ => Ok(Live::Over),
    }
}
