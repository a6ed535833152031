//! Webhooks whose body may hold a whole recording are never whole in memory: they are taken apart while they come in.

use super::{Refused, Verified, WebhookRequest};

/// Takes one body apart. What it lets through counts for nothing before [`Sieve::verify`].
pub trait Sieve: Send {
    /// Largest body in bytes.
    fn max_bytes(&self) -> u64;

    /// Takes the next piece of the raw body: the recording's bytes are appended to `audio`, decoded, and everything else to
    /// `rest`, as it is.
    fn take(&mut self, piece: &[u8], rest: &mut Vec<u8>, audio: &mut Vec<u8>);

    /// Whether what went to `audio` is all of a recording, from its first byte to its last.
    fn is_whole(&self) -> bool;

    /// Checks, when all of the body was taken, that it comes from the source. The request's body is the `rest`.
    ///
    /// # Errors
    /// [`Refused`].
    fn verify<'r>(self: Box<Self>, request: &'r WebhookRequest<'r>) -> Result<Verified<'r>, Refused>;
}
