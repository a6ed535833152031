//! Why there is no recording of a call, in words for people who never see our codes.

/// Why a call has no recording, and will have none unless somebody acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Absence {
    /// Nobody recorded it.
    NotRecorded,
    /// There is one, or may be, but it could not be had: the stable code of what went wrong.
    Missing(String),
}

impl Absence {
    /// The code of what went wrong, where something did.
    pub fn missing(&self) -> Option<&str> {
        match self {
            Self::NotRecorded => None,
            Self::Missing(reason) => Some(reason),
        }
    }

    /// In a few words. They hold nothing of the call, and no address.
    pub fn why(&self) -> &'static str {
        match self.missing() {
            None => "the call was not recorded",
            Some("recording-host-not-allowed") => "its link leads to a host that is not allowed here",
            Some("recording-gone") => "its provider does not have it any more",
            Some("recording-never-came") => "its provider promised it and never had it",
            Some("not-audio") => "what its provider sent is not audio",
            Some("truncated" | "recording-incomplete") => "its provider sent only a part of it",
            Some("no-way-to-fetch") => "its provider did not say where it is",
            Some("recording-too-large") => "it is larger than is allowed here",
            Some("vendor-refuses-credentials" | "vendor-refuses-request" | "not-found-at-vendor") => {
                "its provider refused to hand it out"
            }
            Some("vendor-unreachable" | "vendor-broken" | "deadline") => "its provider did not answer in time",
            Some("provider-not-configured") => "its provider is not set up here any more",
            Some("store-refuses" | "store-unreachable" | "store-lost-bytes" | "spool-failed") => {
                "it could not be stored here"
            }
            Some(_) => "it could not be fetched",
        }
    }
}
