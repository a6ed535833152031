//! Writing to a side that refuses a part of it (an address that is none, a number that is somebody else's): the rest is
//! written without that part. What was refused is in the log, without saying what it was, and is not tried again before
//! it changes, as it was seen where it came from.

use super::{
    Side,
    book::Book,
    merge::Writes,
    person::{Person, Seen},
};
use crate::http::{ClientError, ErrorKind};

/// Writes to a contact, and returns what was taken.
///
/// # Errors
/// As the side answers, unless it refuses what is to be written.
pub(super) async fn write(
    (side, book): (Side, &dyn Book),
    person: &Person,
    seen: &Seen,
    writes: Writes,
) -> Result<Writes, ClientError> {
    match book.write(person, seen, &writes).await {
        Err(error) if is_refused(&error, book) => {}
        done => return done.map(|()| writes),
    }
    let (parts, mut taken) = (writes.parts(), Writes::default());
    let alone = parts.len() == 1;
    for (what, part) in parts {
        let written = if alone { None } else { Some(book.write(person, seen, &part).await) };
        match written {
            Some(Ok(())) => taken = taken.and(part),
            Some(Err(error)) if !is_refused(&error, book) => return Err(error),
            Some(Err(_)) | None => left_out(side, what),
        }
    }
    Ok(taken)
}

/// Creates a contact, and returns its id and what of `seen` it holds: all, or all but the address, or the number.
///
/// # Errors
/// As the side answers; that it refuses, when it refuses the contact without these, too.
pub(super) async fn create((side, book): (Side, &dyn Book), seen: Seen) -> Result<(String, Seen), ClientError> {
    let refused = match book.create(&seen).await {
        Err(error) if is_refused(&error, book) => error,
        done => return done.map(|id| (id, seen)),
    };
    if seen.email.is_some() && seen.phone.is_some() {
        let without = [("email", Seen { email: None, ..seen.clone() }), ("phone", Seen { phone: None, ..seen })];
        for (what, rest) in without {
            match book.create(&rest).await {
                Ok(id) => {
                    left_out(side, what);
                    return Ok((id, rest));
                }
                Err(error) if is_refused(&error, book) => {}
                Err(error) => return Err(error),
            }
        }
    }
    Err(refused)
}

/// Whether it is the content that is refused, and not who asks for it, or for whom.
fn is_refused(error: &ClientError, book: &dyn Book) -> bool {
    error.kind == ErrorKind::Refused && matches!(error.status, Some(400 | 406 | 422)) && !book.is_gone(error)
}

fn left_out(side: Side, what: &'static str) {
    tracing::warn!(side = side.as_str(), what, "refuses a part of a contact, which is left out");
}
