//! Finds or makes the contact across, and brings both in line. Whoever does so holds the person: by ids, numbers and
//! addresses of both sides, so that two events of one new person make one contact.

use super::{
    Change, Link, Mirror, Side, Who,
    book::Book,
    merge::{Sides, Writes, merge},
    person::Person,
    take, taken,
};
use crate::{
    db,
    domain::{StepError, VerdictExt},
    http::ClientError,
    locks::Held,
    sinks::gohighlevel::is_gone,
};

/// Two contacts that are one person, in line by now.
pub(super) struct Pair {
    /// Where the change was.
    pub(super) side: Side,
    /// The contact there.
    pub(super) here: String,
    /// The contact across.
    pub(super) there: String,
    /// Whether bringing them in line took a write.
    pub(super) wrote: bool,
}

impl Mirror {
    /// Brings fields and tags of the changed contact and its counterpart in line; or says why there is none. `edited`: the
    /// event says that its fields were changed here.
    pub(super) async fn pair(
        &self,
        held: &Held,
        change: &Change,
        edited: bool,
    ) -> Result<Result<Pair, &'static str>, StepError> {
        let side = change.side;
        let Some(here) = self.locate(held, side, &change.who).await? else { return Ok(Err("contact-gone")) };
        let link = db::mirror::link(&self.db, side, &here.id).await.or_ours()?;
        if let Some(link) = &link
            && *link.seen.of(side) == here.seen(Some(link.seen.of(side)), None)
        {
            let there = link.id(side.other()).to_owned();
            return Ok(Ok(Pair { side, here: here.id, there, wrote: false }));
        }
        let there = match self.across(held, side, &here, link.as_ref()).await? {
            Ok(there) => there,
            Err(why) => return Ok(Err(why)),
        };
        let (there, link) = match there {
            Some(there) => {
                // Of another contact than the linked one, which is gone, nothing was seen yet.
                let link = link.filter(|link| link.id(side.other()) == there.id && link.seen != Default::default());
                (there, link)
            }
            None => return self.create(side, here).await,
        };
        let wrote = self.align(side, &here, &there, link.as_ref(), edited).await?;
        Ok(Ok(Pair { side, here: here.id, there: there.id, wrote }))
    }

    /// The contact that the event is about, as its side holds it now.
    async fn locate(&self, held: &Held, side: Side, who: &Who) -> Result<Option<Person>, StepError> {
        let book = self.book(side);
        take(held, &names(side, who.id.as_deref(), &who.phone, &who.email)).await?;
        let mut found = None;
        if let Some(id) = &who.id {
            found = book.read(id).await?;
            if found.is_none() {
                db::mirror::unlink(&self.db, side, id).await.or_ours()?;
            }
        }
        if found.is_none() {
            let phones: Vec<_> = who.phone.iter().cloned().collect();
            let emails: Vec<_> = who.email.iter().cloned().collect();
            found = match find(book, &phones, &emails).await? {
                Some(id) => book.read(&id).await?,
                None => None,
            };
        }
        let Some(person) = found else { return Ok(None) };
        take(held, &names(side, Some(&person.id), &person.phones, &person.emails)).await?;
        Ok(Some(person))
    }

    /// The counterpart of `here`, if there is one; or why there must be none.
    async fn across(
        &self,
        held: &Held,
        side: Side,
        here: &Person,
        link: Option<&Link>,
    ) -> Result<Result<Option<Person>, &'static str>, StepError> {
        let (other, book) = (side.other(), self.book(side.other()));
        if let Some(id) = link.map(|link| link.id(other)) {
            take(held, &names(other, Some(id), &[], &[])).await?;
            if let Some(there) = book.read(id).await? {
                return Ok(Ok(Some(there)));
            }
            db::mirror::unlink(&self.db, other, id).await.or_ours()?;
        }
        if let Some(id) = find(book, &here.phones, &here.emails).await? {
            take(held, &names(other, Some(&id), &[], &[])).await?;
            if let Some(theirs) = db::mirror::link(&self.db, other, &id).await.or_ours()?
                && theirs.id(side) != here.id
                && self.book(side).read(theirs.id(side)).await?.is_some()
            {
                return Ok(Err("linked-to-another"));
            }
            return Ok(Ok(book.read(&id).await?));
        }
        Ok(match (here.is_findable(), book.creates()) {
            (false, _) => Err("no-phone-or-email"),
            (true, false) => Err("no-contact"),
            (true, true) => Ok(None),
        })
    }

    /// What a failed write across means. That the contact is gone there is forgotten at once, and found out by the next try.
    pub(super) async fn unless_gone(&self, pair: &Pair, error: ClientError) -> Result<StepError, StepError> {
        if is_gone(&error) {
            db::mirror::unlink(&self.db, pair.side, &pair.here).await.or_ours()?;
            return Ok(StepError::retry("contact-gone", error));
        }
        Ok(error.into())
    }

    async fn create(&self, side: Side, here: Person) -> Result<Result<Pair, &'static str>, StepError> {
        let (other, seen) = (side.other(), here.seen(None, None));
        let (there, seen_there) = taken::create((other, self.book(other)), seen.clone()).await?;
        let link = Link::new(side, (here.id.clone(), seen), (there.clone(), seen_there));
        db::mirror::save_link(&self.db, &link, self.clock.now()).await.or_ours()?;
        Ok(Ok(Pair { side, here: here.id, there, wrote: true }))
    }

    async fn align(
        &self,
        side: Side,
        here: &Person,
        there: &Person,
        link: Option<&Link>,
        edited: bool,
    ) -> Result<bool, StepError> {
        let other = side.other();
        let before = link.map(|link| Sides { here: link.seen.of(side), there: link.seen.of(other) });
        let seen_here = here.seen(before.map(|before| before.here), Some(there));
        let seen_there = there.seen(before.map(|before| before.there), Some(here));
        let (mut to, mut back) = merge(Sides { here: &seen_here, there: &seen_there }, before, edited);
        if to != Writes::default() {
            to = taken::write((other, self.book(other)), there, &seen_there, to).await?;
        }
        if back != Writes::default() {
            back = taken::write((side, self.book(side)), here, &seen_here, back).await?;
        }
        let held_here = (here.id.clone(), back.applied(&seen_here));
        let link = Link::new(side, held_here, (there.id.clone(), to.applied(&seen_there)));
        db::mirror::save_link(&self.db, &link, self.clock.now()).await.or_ours()?;
        Ok(to != Writes::default() || back != Writes::default())
    }
}

/// Numbers come first: they are what calls have.
async fn find(
    book: &dyn Book,
    phones: &[crate::domain::Phone],
    emails: &[String],
) -> Result<Option<String>, ClientError> {
    for phone in phones {
        if let Some(id) = book.by_phone(phone).await? {
            return Ok(Some(id));
        }
    }
    for email in emails {
        if let Some(id) = book.by_email(email).await? {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

/// Under what a person is held.
fn names<'a>(
    side: Side,
    id: Option<&str>,
    phones: impl IntoIterator<Item = &'a crate::domain::Phone>,
    emails: impl IntoIterator<Item = &'a String>,
) -> Vec<String> {
    let phones = phones.into_iter().map(|phone| format!("phone:{phone}"));
    let emails = emails.into_iter().map(|email| format!("email:{}", email.trim().to_lowercase()));
    id.map(|id| format!("{}:{id}", side.as_str())).into_iter().chain(phones).chain(emails).collect()
}
