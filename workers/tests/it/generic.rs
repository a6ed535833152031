//! Calls of a system that nobody has heard of, from its webhook to the CRM, in both shapes.

use sandbox::{CallMode, samples};
use shared::domain::{Conclusion, ProviderId};

use crate::running::{Running, in_both_shapes};

const GENERIC: ProviderId = ProviderId::new("generic");

in_both_shapes! {
    a_call_is_taken_however_its_recording_is_told_of: &[],
}

async fn a_call_is_taken_however_its_recording_is_told_of(at: Running) {
    let modes = [
        ("billing", CallMode::EndedWithUrl),
        ("support", CallMode::EndedThenRecording),
        ("sales", CallMode::ApiFallback),
        ("appointment", CallMode::Missed),
        ("billing", CallMode::NotRecorded),
    ];
    for (sample, mode) in modes {
        let mut order = at.order("generic", sample, mode);
        (order.duplicates, order.not_ready_times) = (1, 1);
        let id = at.place(order).await.call_uuid;
        let call = at.concludes(&GENERIC, &id, |_| true).await;
        let phone = call.facts.external_phone.map(|phone| phone.to_string());
        assert_eq!(phone.as_ref(), Some(&samples::named(sample).unwrap().contact.phone));
        if matches!(mode, CallMode::Missed | CallMode::NotRecorded) {
            assert_eq!(call.conclusion, Some(Conclusion::NotRecorded), "{mode:?}");
        } else {
            assert_eq!(call.conclusion, Some(Conclusion::Analyzed), "{mode:?}");
            at.told_once("Generic", &id).await;
        }
    }
    at.stop().await;
}
