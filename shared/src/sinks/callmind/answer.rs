//! Reads answers whose shape the guide leaves open: what a second record of one `callSid` is answered with, above all
//! (facts: crm_ai §4, gap 4).

use serde_json::Value;

use crate::http::ClientError;

/// Under what a record's id may lie.
const IDS: [&str; 5] = ["id", "_id", "callId", "call_id", "existingId"];
/// In what a record may lie.
const RECORDS: [&str; 8] = ["data", "call", "record", "existing", "existingCall", "callHistory", "error", "details"];
/// What databases and the people before them write about a record that is there.
const EXISTS: [&str; 4] = ["already exist", "duplicate", "unique constraint", "must be unique"];

/// The record's id in an answer: at the top or inside the record, text or number.
pub(super) fn id(answer: &[u8]) -> Option<String> {
    find(&serde_json::from_slice::<Value>(answer).ok()?)
}

/// Whether a creation was refused because there is such a record.
pub(super) fn is_duplicate(error: &ClientError) -> bool {
    let in_words = [400, 422, 500].into_iter().any(|status| error.is(status));
    error.is(409) || (in_words && says_it_exists(error.body.as_bytes()))
}

/// Whether the answer says in words that there is such a record, whatever its status.
pub(super) fn says_it_exists(answer: &[u8]) -> bool {
    let is_json = serde_json::from_slice::<Value>(answer).is_ok();
    let text = String::from_utf8_lossy(answer).to_lowercase();
    is_json && EXISTS.iter().any(|words| text.contains(words))
}

fn find(value: &Value) -> Option<String> {
    let fields = value.as_object()?;
    let own = IDS.iter().find_map(|name| match fields.get(*name)? {
        Value::String(id) if !id.is_empty() => Some(id.clone()),
        Value::Number(id) => Some(id.to_string()),
        _ => None,
    });
    own.or_else(|| RECORDS.iter().find_map(|name| find(fields.get(*name)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_is_found_wherever_it_lies() {
        for answer in [
            r#"{"id": "call_7"}"#,
            r#"{"_id": "call_7", "agentId": "agent_1"}"#,
            r#"{"callId": "call_7"}"#,
            r#"{"success": true, "data": {"id": "call_7"}}"#,
            r#"{"error": {"message": "exists", "details": {"existingId": "call_7"}}}"#,
            r#"{"message": "exists", "existing": {"_id": "call_7"}}"#,
        ] {
            assert_eq!(id(answer.as_bytes()).as_deref(), Some("call_7"), "{answer}");
        }
        assert_eq!(id(br#"{"id": 7}"#).as_deref(), Some("7"));
        for answer in ["", "<html>", "[]", r#"{"id": ""}"#, r#"{"agent": {"id": "agent_1"}, "agentId": "agent_1"}"#] {
            assert_eq!(id(answer.as_bytes()), None, "{answer}");
        }
    }

    #[test]
    fn a_duplicate_is_recognised_by_its_words() {
        assert!(says_it_exists(br#"{"error": "A call with this callSid already exists"}"#));
        assert!(says_it_exists(br#"{"message": "E11000 duplicate key error collection: calls"}"#));
        assert!(says_it_exists(br#"{"message": "Unique constraint failed on the fields: (`callSid`)"}"#));
        assert!(!says_it_exists(br#"{"error": "Agent does not exist"}"#));
        assert!(!says_it_exists(b"<html>duplicate</html>"), "a page for people speaks of something else");
    }
}
