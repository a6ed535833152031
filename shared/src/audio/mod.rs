//! Audio files: proving that bytes are audio, hearing where somebody speaks, and cutting out what is worth sending to a
//! speech server.
//!
//! [`probe`] proves a file. [`survey`] hears it through once, [`cut`] plans the pieces, [`write_pieces`] hears it through
//! again and writes them, [`to_opus`] makes one small enough to send. Memory stays flat however long the recording is. Everything here blocks: call it from
//! `spawn_blocking`.
//!
//! To add a format: its magic bytes in `sniff.rs` and its reader in `open.rs`. To hear speech better: another
//! `Detector` in `activity.rs`. Who is on which channel is for [`crate::domain::Channels`] to say.

mod activity;
mod cut;
mod decimate;
mod decode;
mod echo;
mod encode;
mod open;
mod opus;
mod peaks;
mod pieces;
mod probe;
mod resample;
mod sniff;
mod survey;
mod wav;

pub use cut::{Grain, Limits, Piece, cut};
pub use decode::{Block, decode};
pub use encode::to_opus;
pub use peaks::Waveform;
pub use pieces::{Half, halve, write_pieces};
pub use probe::{LONGEST_SECONDS, NotAudio, Probe, probe};
pub use survey::{Survey, Voice, survey};

/// A stretch of time in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Span {
    /// Where it begins.
    pub start: f64,
    /// Where it ends; not before `start`.
    pub end: f64,
}

impl Span {
    /// Its length in seconds.
    pub fn seconds(self) -> f64 {
        self.end - self.start
    }

    /// Seconds that it has in common with another.
    pub fn overlap(self, other: Self) -> f64 {
        (self.end.min(other.end) - self.start.max(other.start)).max(0.0)
    }
}

#[cfg(test)]
pub(crate) mod sounds;
#[cfg(test)]
mod tests;
