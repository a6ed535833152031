//! All that is known of a call: what sinks write from.

use super::{Absence, Call, CallId, Delivery, Feedback, Milestone, Recording, Transcript, dollars, micros};

/// A call with its results so far.
#[derive(Debug, Clone)]
pub struct Report {
    /// The call.
    pub call: Call,
    /// Those that were merged into it, under whose names something may have been written, where that is looked for.
    pub merged: Vec<Call>,
    /// Its audio, once stored.
    pub recording: Option<Recording>,
    /// Why there is none, where none is to come.
    pub absence: Option<Absence>,
    /// The lasting link to the audio: ours, never expiring; present once the recording is stored or announced.
    pub recording_link: Option<String>,
    /// Its words, once transcribed.
    pub transcript: Option<Transcript>,
    /// Feedback, once analyzed.
    pub feedback: Option<Feedback>,
    /// What this sink holds already.
    pub held: Vec<Delivery>,
    /// What it holds besides of the same milestones, as it was told of calls before they were found to be one.
    pub outranked: Vec<(CallId, Delivery)>,
    /// Whether an earlier try of this job may have written something whose reply was lost; then look before writing.
    pub maybe_written: bool,
}

impl Report {
    /// Whether the call has come that far.
    pub fn reached(&self, milestone: Milestone) -> bool {
        match milestone {
            Milestone::Started => true,
            Milestone::Ended => self.call.ended(),
            Milestone::Recorded => self.recording.is_some(),
            Milestone::Analyzed => self.call.conclusion.is_some(),
        }
    }

    /// The call under all the names that it had.
    pub fn calls(&self) -> impl Iterator<Item = &Call> {
        std::iter::once(&self.call).chain(&self.merged)
    }

    /// What the sink holds of a milestone.
    pub fn held(&self, milestone: Milestone) -> Option<&Delivery> {
        self.held.iter().find(|d| d.milestone == milestone)
    }

    /// Length of the conversation in seconds: the provider's word, else the recording's length.
    pub fn duration_seconds(&self) -> Option<f64> {
        self.call.facts.duration_seconds.or_else(|| self.recording.as_ref().map(|r| r.duration_seconds))
    }

    /// US dollars that the results took, in whole millionths, where all prices are known.
    pub fn cost(&self) -> Option<f64> {
        let speech = self.transcript.as_ref().map(|t| t.cost);
        let model = self.feedback.as_ref().map(|f| f.usage.cost);
        match (speech, model) {
            (None, None) => None,
            (speech, model) => {
                let spent = micros(speech.unwrap_or(Some(0.0))?) + micros(model.unwrap_or(Some(0.0))?);
                Some(dollars(spent))
            }
        }
    }

    /// Why a recording that there is, or may be, could not be had, in a few words.
    pub fn missing_recording(&self) -> Option<&'static str> {
        self.absence.as_ref().filter(|absence| absence.missing().is_some()).map(Absence::why)
    }
}
