//! What the sinks hold of a call, compared with what was said in it.

use anyhow::ensure;
use sandbox::{State, samples};

use crate::calls::Placed;

/// One call note, one feedback note, at most one note on its recording; one record with the words; or, of a call that was
/// not recorded, the note and the record alone.
///
/// # Errors
/// What is missing or there twice.
pub fn check(call: &Placed, state: &State) -> anyhow::Result<()> {
    let id = call.id.to_string();
    let notes = state.ghl.contacts.iter().flat_map(|contact| &contact.notes);
    let notes: Vec<_> = notes.map(|note| note.body.as_str()).filter(|body| body.contains(&id)).collect();
    let of_kind = |kind: &str| notes.iter().filter(|body| body.starts_with(kind)).count();
    let (calls, feedback) = (of_kind("[CloudTalk] "), of_kind("[CloudTalk Feedback] "));
    let recordings = of_kind("[CloudTalk Recording] ");
    ensure!(calls == 1, "call {id} has {calls} call notes");
    ensure!(feedback == usize::from(call.recorded), "call {id} has {feedback} feedback notes");
    ensure!(recordings <= usize::from(call.recorded), "call {id} has {recordings} recording notes");
    ensure!(notes.len() == calls + feedback + recordings, "call {id} has {} notes", notes.len());

    let records = state.callmind.records.iter().map(|record| &record.fields);
    let records: Vec<_> = records.filter(|fields| fields.get("callSid").is_some_and(|sid| *sid == *id)).collect();
    ensure!(records.len() == 1, "call {id} has {} records", records.len());
    let transcript = records[0].get("transcript").and_then(|text| text.as_str()).unwrap_or_default();
    if !call.recorded {
        ensure!(transcript.is_empty(), "call {id} was not recorded, but its record has words");
        return Ok(());
    }
    let said = samples::named(call.sample).into_iter().flat_map(|sample| &sample.turns);
    for sentence in said.flat_map(|turn| &turn.sentences) {
        ensure!(transcript.contains(sentence.text.trim()), "call {id} lacks words in its record");
    }
    Ok(())
}

/// No contact twice: the CRM would show half of the calls with each.
///
/// # Errors
/// How many there are.
pub fn check_contacts(state: &State) -> anyhow::Result<()> {
    let mut phones: Vec<_> = state.ghl.contacts.iter().map(|contact| &contact.contact.phone).collect();
    let contacts = phones.len();
    phones.sort();
    phones.dedup();
    ensure!(phones.len() == contacts, "{contacts} contacts have {} phones", phones.len());
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests may panic")]

    use sandbox::Sandbox;
    use serde_json::json;

    use super::*;
    use crate::calls::Bought;

    const CALL: Placed =
        Placed { id: 1_000_000_001, sample: "billing", recorded: true, needs: Bought { speech: 2, judgements: 1 } };
    const NOTES: [&str; 2] = ["[CloudTalk] Call completed", "[CloudTalk Feedback] Call"];

    /// What is found when a CRM holds these notes and the other so many records.
    async fn found(call: Placed, notes: &[&str], records: usize, transcript: &str) -> String {
        let mut state = Sandbox::start(([127, 0, 0, 1], 0).into()).await.unwrap().state();
        let at = "2026-01-01T00:00:00Z";
        let note = |kind: &&str| {
            json!({"id": "n", "body": format!("{kind}\nCall ID: {}", CALL.id), "dateAdded": at, "contactId": "c",
                "pinned": false})
        };
        let contact = json!({"id": "c", "locationId": "l", "phone": "+1", "tags": [], "customFields": [], "dnd": false,
            "dateAdded": at, "dateUpdated": at, "notes": notes.iter().map(note).collect::<Vec<_>>()});
        let record = json!({"id": "r", "createdAt": at, "history": [], "callSid": CALL.id.to_string(),
            "transcript": transcript});
        state.ghl.contacts = serde_json::from_value(json!([contact])).unwrap();
        state.callmind.records = serde_json::from_value(json!(vec![record; records])).unwrap();
        check(&call, &state).err().map(|error| error.to_string()).unwrap_or_default()
    }

    fn words() -> String {
        let sample = samples::named(CALL.sample).unwrap();
        sample.turns.iter().map(|turn| format!("Caller: {}\n", turn.text)).collect()
    }

    #[tokio::test]
    async fn finds_what_is_there_twice() {
        assert_eq!(found(CALL, &NOTES, 1, &words()).await, "");
        let [call, feedback] = NOTES;
        assert!(found(CALL, &[call, call, feedback], 1, &words()).await.contains("2 call notes"));
        assert!(found(CALL, &[call, feedback, feedback], 1, &words()).await.contains("2 feedback notes"));
        let recording = "[CloudTalk Recording] Call";
        assert!(found(CALL, &[call, feedback, recording, recording], 1, &words()).await.contains("2 recording notes"));
        assert!(found(CALL, &[call, feedback, "something else"], 1, &words()).await.contains("3 notes"));
        assert!(found(CALL, &NOTES, 2, &words()).await.contains("2 records"));
    }

    #[tokio::test]
    async fn finds_what_is_missing() {
        let [call, feedback] = NOTES;
        assert!(found(CALL, &[feedback], 1, &words()).await.contains("0 call notes"));
        assert!(found(CALL, &[call], 1, &words()).await.contains("0 feedback notes"));
        assert!(found(CALL, &NOTES, 0, "").await.contains("0 records"));
        assert!(found(CALL, &NOTES, 1, "Caller: Hello").await.contains("lacks words"));
    }

    #[tokio::test]
    async fn a_call_without_a_recording_has_nothing_to_say() {
        let call = Placed { recorded: false, ..CALL };
        assert_eq!(found(call, &NOTES[..1], 1, "").await, "");
        assert!(found(call, &NOTES, 1, "").await.contains("1 feedback notes"));
        assert!(found(call, &NOTES[..1], 1, "Caller: Hello").await.contains("has words"));
    }
}
