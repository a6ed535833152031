//! Brings one call's milestones to the CRM, each as far as it is not there yet, and remembers how far it came.

use std::time::Duration;

use super::{
    GoHighLevel,
    api::is_gone,
    call_log::LoggedCall,
    contacts::{Contact, ContactFields},
    note::NoteKind,
    plan::{Before, Plan, plan},
    refs::Refs,
};
use crate::{
    domain::{Delivery, Milestone, Phone, Report, StepError, Write},
    http::{ClientError, ErrorKind},
    sinks::content_hash,
};

/// The milestones that leave something in the CRM.
pub const WANTED: [Milestone; 3] = [Milestone::Ended, Milestone::Recorded, Milestone::Analyzed];

/// Whoever finds a number held comes back so much later.
const BUSY: Duration = Duration::from_secs(2);

/// One run of deliveries.
pub struct Bringing<'a> {
    crm: &'a GoHighLevel,
    report: &'a Report,
    contact: Option<Contact>,
    brought: Vec<Delivery>,
}

impl<'a> Bringing<'a> {
    /// Of this report.
    pub fn new(crm: &'a GoHighLevel, report: &'a Report) -> Self {
        Self { crm, report, contact: None, brought: Vec::new() }
    }

    /// Every milestone that was reached, in order.
    ///
    /// # Errors
    /// As the CRM answers, together with what was brought before.
    pub async fn all(mut self) -> Result<Vec<Delivery>, StepError> {
        for milestone in WANTED.into_iter().filter(|m| self.report.reached(*m)) {
            if let Err(error) = self.milestone(milestone).await {
                let write = |delivery| Write::Delivery(self.report.call.id, super::ID, delivery);
                let mut error = StepError::from(error);
                error.writes.extend(self.brought.into_iter().map(write));
                return Err(error);
            }
        }
        Ok(self.brought)
    }

    async fn milestone(&mut self, milestone: Milestone) -> Result<(), ClientError> {
        let held = self.report.held(milestone);
        let mut refs = self.refs(milestone);
        let plan = plan(self.report, milestone, self.before(milestone));
        let hash = content_hash(&plan);
        if held.is_some_and(|delivery| delivery.content_hash == hash) {
            return Ok(());
        }
        let before = refs.clone();
        let result = self.carry_out(&plan, &mut refs).await;
        if result.is_err() && refs == before {
            return result;
        }
        let content_hash =
            if result.is_ok() && refs.skipped.is_none() { hash } else { Delivery::UNFINISHED.to_owned() };
        let delivery = Delivery { milestone, content_hash, refs: refs.kept() };
        self.brought.extend((held != Some(&delivery)).then_some(delivery));
        result
    }

    async fn carry_out(&mut self, plan: &Plan, refs: &mut Refs) -> Result<(), ClientError> {
        if plan.is_empty() {
            return Ok(());
        }
        let kept = self.kept_contact().or_else(|| self.known_contact());
        let written = match self.carry_out_for(kept.clone(), plan, refs).await {
            Err(error) if kept.is_some() && is_gone(&error) => {
                tracing::info!("the CRM's contact of this call is gone; looking for another");
                self.contact = None;
                if let Some(phone) = self.phone() {
                    self.crm.known.forget(phone);
                }
                *refs = Refs::default();
                self.carry_out_for(None, plan, refs).await
            }
            other => other,
        };
        written?;
        self.log_call(plan, refs).await
    }

    /// The conversation comes last and may be done without: what it refuses keeps nothing else from the CRM, and does not
    /// mean that the contact is gone.
    async fn log_call(&self, plan: &Plan, refs: &mut Refs) -> Result<(), ClientError> {
        let call = plan.call_log.as_ref().filter(|_| refs.call_logged.is_none() && refs.skipped.is_none());
        let (Some(call), Some(contact)) = (call, &refs.contact_id) else { return Ok(()) };
        let names: Vec<String> = match self.report.maybe_written {
            true => self.report.calls().map(LoggedCall::id_of).collect(),
            false => Vec::new(),
        };
        let logged = self.crm.call_log.write(&self.crm.api, contact, call, &names).await;
        match logged {
            Ok(message) => refs.call_logged = Some(message),
            Err(error) if error.kind == ErrorKind::Refused => {
                tracing::warn!(%error, "the CRM refuses to log a call in its contact's conversation");
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Tags come last: automations start on them and read the fields.
    async fn carry_out_for(&mut self, kept: Option<Contact>, plan: &Plan, refs: &mut Refs) -> Result<(), ClientError> {
        let contact = match kept {
            Some(contact) => contact,
            None => match self.find_or_create().await? {
                Ok(contact) => contact,
                Err(why) => {
                    refs.skipped = Some(why.to_owned());
                    return Ok(());
                }
            },
        };
        refs.skipped = None;
        refs.contact_id = Some(contact.id.clone());
        self.contact = Some(contact.clone());
        if let Some((kind, body)) = &plan.note {
            self.write_note(&contact.id, *kind, body, refs).await?;
            refs.note_links = plan.links.filter(|_| *kind == NoteKind::Call);
        }
        let contact = match &plan.recording {
            Some(recording) => {
                let contact = self.with_fields(contact).await?;
                self.crm.fields.write(&contact, recording).await?;
                contact
            }
            None => contact,
        };
        let lacking = contact.lacks(&plan.tags);
        if !lacking.is_empty() {
            self.crm.api.add_tags(&contact.id, &lacking).await?;
        }
        Ok(())
    }

    /// The contact of the call, or why there is none to write to.
    async fn find_or_create(&self) -> Result<Result<Contact, &'static str>, ClientError> {
        let Some(phone) = self.phone() else { return Ok(Err("no-phone")) };
        let (api, now) = (&self.crm.api, self.crm.api.vendor.clock().now());
        let contact = match api.find_contact(phone).await? {
            Some(contact) => contact,
            None if !self.crm.create_contacts => return Ok(Err("no-contact")),
            None => self.create(phone).await?,
        };
        self.crm.known.put(phone, &contact.id, now);
        Ok(Ok(contact))
    }

    /// Where a location allows duplicates, two calls of one new number would make two contacts: one at a time. Once the
    /// contact is or may be made, the number stays held for a lease: the searches may not know it at once.
    async fn create(&self, phone: &Phone) -> Result<Contact, ClientError> {
        let held = self.crm.locks.hold();
        if !held.take(&[format!("phone:{phone}")]).await.unwrap_or(false) {
            return Err(ClientError::busy("gohighlevel", BUSY));
        }
        if let Some(contact) = self.crm.api.find_contact(phone).await? {
            held.release().await;
            return Ok(contact);
        }
        let known = &self.report.call.facts.contact;
        let fields = ContactFields { name: known.name.clone(), phone: Some(phone.clone()), email: known.email.clone() };
        let created = tokio::select! {
            created = self.crm.api.create_contact(&fields, &[]) => created,
            () = held.lost() => Err(ClientError::unreachable("gohighlevel", "was asked for too long: the lock is lost")),
        };
        match &created {
            Err(error) if !may_be_done(error) => held.release().await,
            _ => held.expire(),
        }
        created
    }

    fn phone(&self) -> Option<&'a Phone> {
        self.report.call.facts.external_phone.as_ref()
    }

    /// The contact that the number had lately.
    fn known_contact(&self) -> Option<Contact> {
        let now = self.crm.api.vendor.clock().now();
        self.crm.known.get(self.phone()?, now).map(Contact::by_id)
    }

    /// Writes a note once: one that we hold is written anew, one whose reply may have been lost is looked for.
    async fn write_note(&self, contact: &str, kind: NoteKind, body: &str, refs: &mut Refs) -> Result<(), ClientError> {
        let hash = content_hash(&body);
        if refs.note_id.is_none() && self.report.maybe_written {
            let ours = |text: &str| self.report.calls().any(|call| kind.is(call, text));
            let notes = self.crm.api.notes(contact).await?;
            let found = notes.into_iter().find(|note| note.body.as_deref().is_some_and(ours));
            refs.note_hash = found.as_ref().and_then(|note| note.body.as_ref()).map(|text| content_hash(&text));
            refs.note_id = found.map(|note| note.id);
        }
        if refs.note_hash.as_ref() == Some(&hash) && refs.note_id.is_some() {
            return Ok(());
        }
        let updated = match &refs.note_id {
            Some(note) => match self.crm.api.update_note(contact, note, body).await {
                Ok(()) => true,
                Err(error) if is_gone(&error) => false,
                Err(error) => return Err(error),
            },
            None => false,
        };
        if !updated {
            refs.note_id = Some(self.crm.api.create_note(contact, body).await?);
        }
        refs.note_hash = Some(hash);
        Ok(())
    }

    /// The contact with its tags and fields, read if they are not known.
    async fn with_fields(&mut self, contact: Contact) -> Result<Contact, ClientError> {
        if contact.custom_fields.is_some() {
            return Ok(contact);
        }
        let contact = self.crm.api.contact(&contact.id).await?;
        self.contact = Some(contact.clone());
        Ok(contact)
    }

    /// The contact of this run, else of an earlier one.
    fn kept_contact(&self) -> Option<Contact> {
        let earlier = || WANTED.into_iter().rev().find_map(|m| self.refs(m).contact_id).map(Contact::by_id);
        self.contact.clone().or_else(earlier)
    }

    fn before(&self, milestone: Milestone) -> Before {
        let call_note = self.refs(Milestone::Ended);
        let recording_note = self.refs(Milestone::Recorded).note_id.is_some();
        let of_another = self.report.outranked.iter().any(|(_, told)| Refs::of(told).call_logged.is_some());
        let elsewhere = of_another || WANTED.into_iter().any(|m| m != milestone && self.refs(m).call_logged.is_some());
        let log_call = self.crm.call_log.is_on() && !elsewhere;
        Before { call_note_links: call_note.note_links, recording_note, log_call }
    }

    /// What is kept of a milestone: by this run, else by an earlier one.
    fn refs(&self, milestone: Milestone) -> Refs {
        let brought = self.brought.iter().find(|d| d.milestone == milestone);
        let held = brought.or_else(|| self.report.held(milestone));
        held.map(Refs::of).unwrap_or_default()
    }
}

/// Whether the request may have been carried out all the same.
fn may_be_done(error: &ClientError) -> bool {
    matches!(error.kind, ErrorKind::Unreachable | ErrorKind::Broken)
}
