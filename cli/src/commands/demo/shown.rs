//! Prints what the (simulated) CRM received of a call.

#![expect(clippy::print_stdout, reason = "the answer of a command goes to standard output")]

use sandbox::State;

/// The notes and the record of one call.
pub fn print(state: &State, call_id: u64) {
    let id = call_id.to_string();
    let title = format!(" call {id} ");
    println!("\n{title:═^100}");
    for contact in &state.ghl.contacts {
        let notes: Vec<_> = contact.notes.iter().filter(|note| note.body.contains(&id)).collect();
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
    for record in
        state.callmind.records.iter().filter(|r| r.fields.get("callSid").is_some_and(|sid| sid == id.as_str()))
    {
        println!("\nCallmind, record {}\n", record.id);
        for (name, value) in &record.fields {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            println!("  │ {name}: {}", text.replace('\n', "\n  │   "));
        }
    }
    println!();
}
