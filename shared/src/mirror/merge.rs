//! What a change on one side means for both. Pure, and idempotent: applied to its own result it finds nothing to write.

use super::person::Seen;
use crate::domain::Phone;

/// What is to be written to one side.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Writes {
    /// A display name.
    pub name: Option<String>,
    /// A number, in place of the one that was seen.
    pub phone: Option<Phone>,
    /// An address, in place of the one that was seen.
    pub email: Option<String>,
    /// Tags to add.
    pub add_tags: Vec<String>,
    /// Tags to take away.
    pub remove_tags: Vec<String>,
}

impl Writes {
    /// Whether there is anything to write besides tags.
    pub fn fields(&self) -> bool {
        self.name.is_some() || self.phone.is_some() || self.email.is_some()
    }

    /// Each part of it alone, with what it is.
    pub fn parts(self) -> Vec<(&'static str, Self)> {
        let Self { name, phone, email, add_tags, remove_tags } = self;
        let parts = [
            ("name", Self { name, ..Self::default() }),
            ("phone", Self { phone, ..Self::default() }),
            ("email", Self { email, ..Self::default() }),
            ("new tags", Self { add_tags, ..Self::default() }),
            ("former tags", Self { remove_tags, ..Self::default() }),
        ];
        parts.into_iter().filter(|(_, part)| *part != Self::default()).collect()
    }

    /// With a part that it lacks.
    #[must_use]
    pub fn and(self, part: Self) -> Self {
        let more = |mut mine: Vec<String>, part: Vec<String>| {
            mine.extend(part);
            mine
        };
        Self {
            name: self.name.or(part.name),
            phone: self.phone.or(part.phone),
            email: self.email.or(part.email),
            add_tags: more(self.add_tags, part.add_tags),
            remove_tags: more(self.remove_tags, part.remove_tags),
        }
    }

    /// What is seen once it is written.
    pub fn applied(&self, seen: &Seen) -> Seen {
        let tags = seen.tags.as_ref().map(|tags| {
            let mut tags: Vec<String> = tags.iter().chain(&self.add_tags).cloned().collect();
            tags.retain(|tag| !self.remove_tags.contains(tag));
            tags.sort_unstable();
            tags.dedup();
            tags
        });
        Seen {
            name: self.name.clone().or_else(|| seen.name.clone()),
            phone: self.phone.clone().or_else(|| seen.phone.clone()),
            email: self.email.clone().or_else(|| seen.email.clone()),
            tags,
        }
    }
}

/// What is seen of one person on two sides: of the change, and across.
#[derive(Debug, Clone, Copy)]
pub struct Sides<'a> {
    /// Where the change was.
    pub here: &'a Seen,
    /// The other side.
    pub there: &'a Seen,
}

/// What to write `there` and, for what changed there unnoticed, `here`. Compared with what was seen `before`; when the two
/// were just found to be one, they fill each other's gaps, and where they differ they stay as they are, unless the change
/// says that the person was edited here (`edited`). Nothing is ever cleared.
pub fn merge(now: Sides<'_>, before: Option<Sides<'_>>, edited: bool) -> (Writes, Writes) {
    let (mut to, mut back) = (Writes::default(), Writes::default());
    let same_name = |a: &String, b: &String| a.to_lowercase() == b.to_lowercase();
    (to.name, back.name) = field(now, before, edited, |seen| &seen.name, same_name);
    (to.phone, back.phone) = field(now, before, edited, |seen| &seen.phone, PartialEq::eq);
    (to.email, back.email) = field(now, before, edited, |seen| &seen.email, PartialEq::eq);
    tags(now, before, &mut to, &mut back);
    (to, back)
}

fn field<T: Clone + PartialEq>(
    now: Sides<'_>,
    before: Option<Sides<'_>>,
    edited: bool,
    of: impl Fn(&Seen) -> &Option<T>,
    same: impl Fn(&T, &T) -> bool,
) -> (Option<T>, Option<T>) {
    let (here, there) = (of(now.here), of(now.there));
    if let (Some(a), Some(b)) = (here, there)
        && same(a, b)
    {
        return (None, None);
    }
    let (changed_here, changed_there) = match before {
        Some(before) => (of(before.here) != here, of(before.there) != there),
        None => (edited || there.is_none(), here.is_none()),
    };
    match (here, there) {
        (Some(value), _) if changed_here => (Some(value.clone()), None),
        (_, Some(value)) if changed_there => (None, Some(value.clone())),
        _ => (None, None),
    }
}

/// A tag that was set anywhere is set everywhere, one that was taken away anywhere is taken away everywhere. One that is as it
/// was, on both sides, stays so: writing it across was refused.
fn tags(now: Sides<'_>, before: Option<Sides<'_>>, to: &mut Writes, back: &mut Writes) {
    let (Some(here), Some(there)) = (&now.here.tags, &now.there.tags) else { return };
    let known = |seen: Option<&Seen>| seen.and_then(|seen| seen.tags.clone()).unwrap_or_default();
    let (was_here, was_there) = (known(before.map(|b| b.here)), known(before.map(|b| b.there)));
    let stays = |tag| {
        before.is_some()
            && (here.contains(tag), there.contains(tag)) == (was_here.contains(tag), was_there.contains(tag))
    };
    for tag in here.iter().filter(|tag| !there.contains(tag) && !stays(tag)) {
        let taken_away = was_there.contains(tag) && was_here.contains(tag);
        let list = if taken_away { &mut back.remove_tags } else { &mut to.add_tags };
        list.push(tag.clone());
    }
    for tag in there.iter().filter(|tag| !here.contains(tag) && !stays(tag)) {
        let taken_away = was_here.contains(tag) && was_there.contains(tag);
        let list = if taken_away { &mut to.remove_tags } else { &mut back.add_tags };
        list.push(tag.clone());
    }
}

#[cfg(test)]
mod tests;
