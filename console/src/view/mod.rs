//! The JSON form of what is asked for, for the API and the command line: [`call`], [`conversation`], [`cost`], [`dead`].
//!
//! To add one: a file here that derives `Serialize` and `ToSchema`, so that `/openapi.json` describes what is really sent.

mod call;
mod conversation;
mod cost;
mod dead;
mod playback;

pub use call::{CallDetail, CallPage, CallRow};
pub use conversation::Conversation;
pub use cost::{CostLine, CostPage};
pub use dead::DeadPage;
