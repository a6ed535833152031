//! Contacts, tags and notes that CloudTalk and GoHighLevel hold in common.

mod change;

pub use change::{Change, Deal, Side, What, Who};
