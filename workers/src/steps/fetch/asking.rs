//! Who is asked for a recording: whose call it is, and before that whoever carried it, because a carrier keeps both sides
//! apart and the agent's own recording mixes them.

use anyhow::anyhow;
use shared::{
    domain::{Call, StepError},
    http::Download,
    providers::{Provider, Providers, RecordingError},
};

/// The first that has it. What the carrier answers counts where it told of a recording; else it is a favour.
///
/// # Errors
/// As [`Provider::open_recording`].
pub(super) async fn open<'p>(
    providers: &'p Providers,
    call: &Call,
) -> Result<(&'p dyn Provider, Download), RecordingError> {
    let own = providers.get(&call.provider).map(AsRef::as_ref);
    let refused = match carrier(providers, call) {
        None => None,
        Some(carrier) => match carrier.open_recording(call).await {
            Ok(download) => return Ok((carrier, download)),
            Err(error) => {
                tracing::debug!(%error, "the carrier's recording cannot be had");
                Some(error).filter(|_| call.facts.key("recording_sid").is_some())
            }
        },
    };
    let own =
        own.ok_or_else(|| StepError::fail("provider-not-configured", anyhow!("{} is not configured", call.provider)))?;
    match (own.open_recording(call).await, refused) {
        (Ok(download), _) => Ok((own, download)),
        (Err(_), Some(error @ (RecordingError::NotReady | RecordingError::Step(_)))) => Err(error),
        (Err(error), _) => Err(error),
    }
}

/// Whoever carried a call that is another provider's.
fn carrier<'p>(providers: &'p Providers, call: &Call) -> Option<&'p dyn Provider> {
    call.facts.key("call_sid")?;
    let carriers = providers.iter().filter(|provider| provider.is_carrier() && provider.id() != call.provider);
    carriers.map(AsRef::as_ref).next()
}
