//! What a webhook says. Two shapes (facts: crm_ai §1.8): a marketplace app's, flat and camelCase, whose `type` names the
//! event; and a workflow's, snake_case, whose route names it and whose fields vary with what the user adds.

use serde_json::{Value, json};

use crate::{
    domain::{Event, EventKind},
    mirror::{Change, Deal, Side, What, Who},
    sources::{
        Unusable,
        fields::{Fields, is_key},
    },
};

const CONTACT_ID: &[&str] = &["contactid"];
const PHONE: &[&str] = &["phone", "contactphone"];
const EMAIL: &[&str] = &["email", "contactemail"];
const NOTE_ID: &[&str] = &["noteid"];
const NOTE: &[&str] = &["notebody", "notecontent", "note", "body"];
const DEAL_ID: &[&str] = &["opportunityid", "id"];
const DEAL_NAME: &[&str] = &["opportunityname", "name"];
const STATUS: &[&str] = &["opportunitystatus", "status"];
const PIPELINE: &[&str] = &["pipelinename", "pipeline"];
/// The first spelling is the vendor's.
const STAGE: &[&str] = &["piplelinestage", "pipelinestage", "pipelinestagename", "stagename", "stage"];
const STAGE_ID: &[&str] = &["pipelinestageid"];

/// A webhook that was read.
pub(super) struct Said(Fields);

impl Said {
    pub(super) fn parse(body: &[u8]) -> Result<Self, Unusable> {
        Fields::parse(body).map(Self)
    }

    /// What it is: what `type` says, else what the route says.
    pub(super) fn kind(&self, hint: &str, signed: bool) -> EventKind {
        match self.0.text(&["type"]) {
            Some(name) => match known(&name) {
                Some(kind) => kind,
                None if signed || self.id().is_some() => EventKind::Other(kebab(&name)),
                None => EventKind::parse(hint),
            },
            None => EventKind::parse(hint),
        }
    }

    /// The vendor's id of this webhook, the same whenever it is sent.
    pub(super) fn id(&self) -> Option<String> {
        self.0.key(&["webhookid"])
    }

    /// The location that it is about.
    pub(super) fn location(&self) -> Option<String> {
        self.0.key(&["locationid"])
    }

    pub(super) fn who(&self, kind: &EventKind) -> Who {
        // A contact's own event has the contact's id in place of the event's.
        let own = || matches!(kind, EventKind::NewContact | EventKind::ContactUpdated | EventKind::NewTag);
        let id = self.0.key(CONTACT_ID).or_else(|| own().then(|| self.0.key(&["id"])).flatten());
        Who { id, phone: self.0.phone(PHONE), email: self.0.text(EMAIL).filter(|text| text.contains('@')) }
    }

    fn note(&self) -> What {
        // Beside a contact's id, the plain one is the note's own.
        let own = || self.0.text(CONTACT_ID).and_then(|_| self.0.key(&["id"]));
        What::Note { id: self.0.key(NOTE_ID).or_else(own), text: self.0.text(NOTE) }
    }

    fn deal(&self) -> Deal {
        Deal {
            id: self.0.key(DEAL_ID),
            name: self.0.text(DEAL_NAME),
            status: self.0.text(STATUS).map(|status| status.to_lowercase()),
            pipeline: self.0.text(PIPELINE),
            stage: self.0.text(STAGE),
            stage_id: self.0.key(STAGE_ID),
        }
    }
}

/// What a recorded event says changed.
///
/// # Errors
/// [`Unusable`].
pub fn change(event: &Event) -> Result<Option<Change>, Unusable> {
    let said = Said::parse(&event.body)?;
    let what = What::of(&event.kind, || said.note(), || said.deal());
    Ok(what.map(|what| Change { side: Side::GoHighLevel, who: said.who(&event.kind), what }))
}

/// What a workflow sends to the route of that hint.
pub(super) fn example(hint: &str, location: &str) -> Value {
    let mut body = json!({
        "contact_id": "CONT0000000000000001", "full_name": "Mario Rossi", "email": "mario@example.test",
        "phone": "+393501234567", "tags": "lead,vip", "location": {"id": location},
    });
    let more = match hint {
        "new-note" => json!({"note": {"id": "NOTE0000000000000001", "body": "Call back on Monday"}}),
        "pipeline-stage-changed" | "opportunity-status-changed" => json!({
            "id": "OPP00000000000000001", "opportunity_name": "New roof", "status": "open",
            "pipleline_stage": "Qualified", "pipeline_name": "Sales",
        }),
        _ => json!({}),
    };
    if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
        body.extend(more);
    }
    body
}

fn known(name: &str) -> Option<EventKind> {
    Some(match name {
        "ContactCreate" => EventKind::NewContact,
        "ContactUpdate" => EventKind::ContactUpdated,
        "ContactTagUpdate" => EventKind::NewTag,
        "NoteCreate" => EventKind::NewNote,
        "OpportunityStageUpdate" => EventKind::PipelineStageChanged,
        "OpportunityStatusUpdate" => EventKind::OpportunityStatusChanged,
        _ => return None,
    })
}

/// `ContactDndUpdate` as `contact-dnd-update`; `other` where it is no name.
fn kebab(name: &str) -> String {
    if !is_key(name) {
        return "other".to_owned();
    }
    let mut kebab = String::with_capacity(name.len() + 4);
    for c in name.chars() {
        if c.is_ascii_uppercase() && !kebab.is_empty() {
            kebab.push('-');
        }
        kebab.push(c.to_ascii_lowercase());
    }
    kebab
}
