//! Shows the mirror: what people change by hand in one of the (simulated) systems, and what the other one holds then.

#![expect(clippy::print_stdout, reason = "the answer of a command goes to standard output")]

use std::time::{Duration, Instant};

use anyhow::Context;
use reqwest::Method;
use sandbox::{Sandbox, State, Vendor};
use serde_json::{Value, json};
use shared::service::App;

use super::{LOCATION, PATIENCE, SECRET};

/// Reserved for fiction, so that nobody is called Dana by accident.
const PHONE: u64 = 12_025_550_186;
const NOTE: &str = "Asked for a quote for forty seats; back from holiday on Monday.";
const LOOK: Duration = Duration::from_millis(50);

/// A new contact in GoHighLevel, then an edit in CloudTalk; each printed once it is on the other side.
pub async fn show(app: &App, sandbox: &Sandbox, base: &str) -> anyhow::Result<()> {
    sandbox.send_webhooks(Vendor::Ghl, base, SECRET);
    sandbox.send_webhooks(Vendor::Cloudtalk, base, SECRET);
    let people = ByHand { app, sandbox };
    println!("{:═^100}", " between GoHighLevel and CloudTalk ");

    println!("\nIn GoHighLevel, somebody adds Dana Example with the tag lead, and writes a note.");
    let dana = json!({
        "locationId": LOCATION, "firstName": "Dana", "lastName": "Example", "phone": format!("+{PHONE}"), "tags": ["lead"],
    });
    let made = people.change(Method::POST, "/ghl/contacts/", &dana).await?;
    let id = made["contact"]["id"].as_str().context("the sandbox made no contact")?;
    people.change(Method::POST, &format!("/ghl/contacts/{id}/notes"), &json!({"body": NOTE})).await?;
    let there = people.wait(|state| {
        let mut contacts = state.cloudtalk.contacts.into_iter().filter(|contact| contact.phones.contains(&PHONE));
        contacts.find(|contact| !contact.notes.is_empty() && !contact.tags.is_empty())
    });
    let there = there.await?;
    println!("  │ {}, number {PHONE}, tags {}", there.name, there.tags.join(" "));
    for note in &there.notes {
        println!("  │ note: {}", note.note.replace('\n', "\n  │       "));
    }

    println!("\nIn CloudTalk, an agent adds her address and the tag VIP.");
    let address = json!({"ContactEmail": [{"email": "dana@example.com"}]});
    people.change(Method::POST, &format!("/cloudtalk/contacts/edit/{}.json", there.id), &address).await?;
    let tags = json!({"tags": ["VIP"]});
    people.change(Method::PUT, &format!("/cloudtalk/contacts/addTags/{}.json", there.id), &tags).await?;
    let here = people.wait(|state| {
        let mut contacts = state.ghl.contacts.into_iter().map(|held| held.contact).filter(|held| held.id == id);
        contacts.find(|contact| contact.email.is_some() && contact.tags.len() == 2)
    });
    let here = here.await?;
    println!("  │ email {}, tags {}\n", here.email.unwrap_or_default(), here.tags.join(" "));
    Ok(())
}

/// People at the screens of both systems.
struct ByHand<'a> {
    app: &'a App,
    sandbox: &'a Sandbox,
}

impl ByHand<'_> {
    async fn change(&self, method: Method, path: &str, body: &Value) -> anyhow::Result<Value> {
        let url = format!("{}/control{path}", self.sandbox.url());
        let answer = self.app.outside.http.request(method, url).json(body).send().await?.error_for_status()?;
        Ok(answer.json().await?)
    }

    /// What is looked for, once the other side has it; the time it took is printed.
    async fn wait<T>(&self, find: impl Fn(State) -> Option<T>) -> anyhow::Result<T> {
        let started = Instant::now();
        let look = async {
            loop {
                match find(self.sandbox.state()) {
                    Some(found) => return found,
                    None => tokio::time::sleep(LOOK).await,
                }
            }
        };
        let found = tokio::time::timeout(PATIENCE, look).await.context("the other side was not told")?;
        println!("After {:.1} s the other one has it:", started.elapsed().as_secs_f64());
        Ok(found)
    }
}
