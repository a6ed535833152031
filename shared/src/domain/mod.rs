//! The words of Tapedeck (one per concept: file, queue, span, metric label, column, log field) and their pure rules.
//!
//! Nothing here does I/O. To add a concept: one file, named after it, re-exported below.

mod absence;
mod call;
mod channels;
mod delivery;
mod event;
mod feedback;
mod ids;
mod job;
mod line;
mod measure;
mod phone;
mod quote;
mod recording;
mod redact;
mod report;
mod scorecard;
mod spending;
mod step;
mod transcript;
mod verdict;
mod voicemail;

pub use absence::Absence;
pub use call::{Agent, Call, CallFacts, CallKey, CallStatus, Conclusion, Contact, Direction};
pub use channels::{Channel, Channels, Convention, Evidence, Layout};
pub use delivery::{Delivery, Milestone};
pub use event::{Event, EventKind, NewEvent};
pub use feedback::{ActionItem, Coaching, Feedback, Judged, Measured, Owner, PartyMeasured, Sentiment, Usage};
pub use ids::{CallId, EventId, JobId};
pub use job::{Job, JobState, NewJob, Wake};
pub use line::one_line;
pub use measure::measure;
pub use phone::Phone;
pub use quote::Spoken;
pub use recording::Recording;
pub use redact::{Redact, Redacted};
pub use report::Report;
pub use scorecard::{Criterion, Score, Scorecard, Scored};
pub use spending::{Micros, Purchase, Spending, dollars, micros, usd};
pub use step::{ProviderId, QueueName, SinkId, Step};
pub use transcript::{Speaker, Transcript, Turn};
pub use verdict::{Outcome, Reason, StepError, Verdict, VerdictExt, Write};
pub use voicemail::reached_voicemail;
