//! Prints what the (simulated) CRM received of a call.

#![expect(clippy::print_stdout, reason = "the answer of a command goes to standard output")]

use sandbox::State;

/// As much of a call's id as fits into a line: Twilio's have 34 characters.
pub fn short(id: &str) -> String {
    match (id.get(..2), id.get(id.len().saturating_sub(7)..)) {
        (Some(kind), Some(end)) if id.len() > 10 => format!("{kind}…{end}"),
        _ => id.to_owned(),
    }
}

/// The notes, the record and the messages of one call.
pub fn print(state: &State, id: &str) {
    let title = format!(" call {id} ");
    println!("\n{title:═^100}");
    for contact in &state.ghl.contacts {
        let notes: Vec<_> = contact.notes.iter().filter(|note| note.body.contains(id)).collect();
        if notes.is_empty() {
            continue;
        }
        let name = contact.contact.contact_name.as_deref().unwrap_or("a contact");
        println!("GoHighLevel, {name}, tags {}", contact.contact.tags.join(" "));
        for note in notes {
            println!();
            for line in note.body.lines() {
                println!("  │ {line}");
            }
        }
    }
    for record in state.callmind.records.iter().filter(|r| r.fields.get("callSid").is_some_and(|sid| sid == id)) {
        println!("\nCallmind, record {}\n", record.id);
        for (name, value) in &record.fields {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            println!("  │ {name}: {}", text.replace('\n', "\n  │   "));
        }
    }
    let told = state.target.messages.iter().map(|message| &message.payload);
    let told = told.filter(|payload| payload["data"]["call"]["provider_call_id"] == id);
    let told: Vec<_> = told.filter_map(|payload| payload["type"].as_str()).collect();
    println!("\nYour own URL was told {}\n", told.join(", "));
}
