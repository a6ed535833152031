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

/// US dollars as millionths, rounded up: a request is never free because it is small. What is kept and told of money went through
/// here, so that it is the same wherever it is read.
pub fn micros(dollars: f64) -> Micros {
    // What multiplying adds in the last binary digits is no cost.
    let millionths = dollars * 1e6 - 1e-4;
    #[expect(clippy::cast_possible_truncation, reason = "no request costs nine trillion dollars")]
    let micros = millionths.ceil() as Micros;
    micros
}

/// Millionths as US dollars.
pub fn dollars(micros: Micros) -> f64 {
    micros as f64 / 1e6
}

/// US dollars for people: exact, with four decimals at least.
pub fn usd(micros: Micros) -> String {
    let text = format!("{}.{:06}", micros / 1_000_000, micros.unsigned_abs() % 1_000_000);
    let cents = text.len() - 2;
    let rest = text[cents..].trim_end_matches('0').len();
    text[..cents + rest].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_rounded_up_once_and_shown_as_it_is() {
        for (spent, kept, shown) in [
            (0.0, 0, "0.0000"),
            (0.000_000_1, 1, "0.000001"),
            (0.0245, 24_500, "0.0245"),
            (0.1 + 0.2, 300_000, "0.3000"),
            (0.003_375_2, 3_376, "0.003376"),
            (12.5, 12_500_000, "12.5000"),
        ] {
            assert_eq!((micros(spent), usd(kept).as_str()), (kept, shown));
            assert_eq!(micros(dollars(kept)), kept, "again");
        }
    }
}
