//! What one paid request took.

use chrono::{DateTime, NaiveDate, Utc};
use uuid::Uuid;

use super::{CallId, Step};

/// Millionths of a US dollar.
pub type Micros = i64;

/// An answered request to a speech server or a model, useful or not.
#[derive(Debug, Clone, PartialEq)]
pub struct Spending {
    /// Ours.
    pub id: Uuid,
    /// For which call.
    pub call_id: CallId,
    /// In which step.
    pub step: Step,
    /// The model as configured.
    pub model: String,
    /// What was bought.
    pub bought: Purchase,
    /// What it cost; `None` where the model's price is not known, never 0 then.
    pub micros: Option<Micros>,
    /// When the answer came.
    pub paid_at: DateTime<Utc>,
}

impl Spending {
    /// The day that it counts for, in UTC.
    pub fn day(&self) -> NaiveDate {
        self.paid_at.date_naive()
    }
}

/// What is billed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Purchase {
    /// Seconds of audio.
    Audio(f64),
    /// Tokens of a model.
    Tokens {
        /// Read.
        input: i64,
        /// Written.
        output: i64,
    },
}

/// US dollars as millionths, rounded up: a request is never free because it is small.
pub fn micros(dollars: f64) -> Micros {
    #[expect(clippy::cast_possible_truncation, reason = "no request costs nine trillion dollars")]
    let micros = (dollars * 1e6).ceil() as Micros;
    micros
}
