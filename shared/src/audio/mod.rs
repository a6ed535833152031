//! Audio files: proving that bytes are audio, hearing where somebody speaks, and cutting out what is worth sending to a
//! speech server.
//!
//! [`probe`] proves a file. [`survey`] hears it through once; [`cut`] plans the pieces; [`write_pieces`] hears it through
//! again and writes them. Memory stays flat however long the recording is. Everything here blocks: call it from
//! `spawn_blocking`.
//!
//! To add a format: its magic bytes in `sniff.rs` and its reader in `open.rs`. To hear speech better: another detector
//! behind [`Detector`].

mod open;
mod probe;
mod sniff;
mod wav;

pub use probe::{LONGEST_SECONDS, NotAudio, Probe, probe};

#[cfg(test)]
mod sounds;
