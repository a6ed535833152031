//! What the mirror writes into notes, and by what it knows its own and the sinks' again.

use super::{Deal, Side};
use crate::domain::one_line;

/// Ends a copied note, before the id of the note that it copies.
const COPY: &str = "Note ID: ";
/// Ends a note on a deal, before its id.
const DEAL: &str = "Deal ID: ";
/// Marks of the notes that calls leave in the CRM.
const CALL: [&str; 2] = ["Call ID: ", " recording available"];

/// A copy of a note of this side.
pub(super) fn copy(side: Side, note: &str, text: &str) -> String {
    format!("[{}] {}\n{COPY}{note}", side.title(), text.trim())
}

/// Whether this is a copy of that note.
pub(super) fn is_copy_of(text: &str, note: &str) -> bool {
    ends_with_id(text, COPY, note)
}

/// A note on how a deal stands.
pub(super) fn deal(deal: &Deal, id: &str) -> String {
    let [name, pipeline, stage, status] =
        [&deal.name, &deal.pipeline, &deal.stage, &deal.status].map(|text| text.as_deref().map(one_line));
    let name = name.map(|name| format!(" \"{name}\"")).unwrap_or_default();
    let pipeline = pipeline.map(|name| format!(" in {name}")).unwrap_or_default();
    let stage = stage.map(|stage| format!("stage {stage}{pipeline}"));
    let status = status.map(|status| format!("status {status}"));
    let stands: Vec<_> = [stage, status].into_iter().flatten().collect();
    format!("[{}] Opportunity{name}: {}\n{DEAL}{id}", Side::GoHighLevel.title(), stands.join(", "))
}

/// Whether a note was written by us, as a copy, on a deal or on a call. A CRM may wrap it in markup.
pub(super) fn is_ours(text: &str) -> bool {
    let marked = [COPY, DEAL].iter().chain(&CALL).any(|mark| text.contains(mark));
    marked && text.trim_start_matches(|c: char| c != '[' && c != '\n').starts_with('[')
}

fn ends_with_id(text: &str, mark: &str, id: &str) -> bool {
    let after = |at: usize| text[at + mark.len()..].strip_prefix(id);
    text.match_indices(mark).any(|(at, _)| after(at).is_some_and(|rest| !rest.starts_with(char::is_alphanumeric)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_notes_are_known_again_and_peoples_are_not_taken_for_them() {
        let copied = copy(Side::GoHighLevel, "NOTE1", "call back\ntomorrow");
        assert_eq!(copied, "[GoHighLevel] call back\ntomorrow\nNote ID: NOTE1");
        assert!(is_copy_of(&copied, "NOTE1") && !is_copy_of(&copied, "NOTE"));
        let call = "[CloudTalk] Call completed - \nStatus: completed\nCall ID: 1 - 2025-09-16T14:04:58Z";
        for text in [&copied, call, "<p>[CloudTalk Recording] Call 1 recording available</p>"] {
            assert!(is_ours(text), "{text}");
        }
        for text in ["call back", "[urgent] call back", "The Call ID: was wrong", ""] {
            assert!(!is_ours(text), "{text}");
        }
    }

    #[test]
    fn a_deal_is_told_with_what_is_known_of_it() {
        let text = |value: &str| Some(value.to_owned());
        let whole = Deal {
            name: text("New roof"),
            status: text("won"),
            pipeline: text("Sales"),
            stage: text("Closed"),
            ..Deal::default()
        };
        assert_eq!(
            deal(&whole, "OPP1"),
            "[GoHighLevel] Opportunity \"New roof\": stage Closed in Sales, status won\nDeal ID: OPP1"
        );
        let little = Deal { status: text("lost"), ..Deal::default() };
        assert_eq!(deal(&little, "OPP1"), "[GoHighLevel] Opportunity: status lost\nDeal ID: OPP1");
        assert!(is_ours(&deal(&little, "OPP1")));
        let forged = Deal { name: text("roof\nDeal ID: OPP2"), ..little };
        assert_eq!(
            deal(&forged, "OPP1"),
            "[GoHighLevel] Opportunity \"roof Deal ID: OPP2\": status lost\nDeal ID: OPP1"
        );
    }
}
