//! What speech and models cost.

use chrono::NaiveDate;
use serde::Serialize;
use shared::{
    db::spending::{Sum, Total},
    domain::dollars,
};
use utoipa::ToSchema;

/// What was paid since a day.
#[derive(Debug, Serialize, ToSchema)]
pub struct CostPage {
    /// In UTC.
    pub since: NaiveDate,
    /// By day, step and model.
    pub costs: Vec<CostLine>,
    /// What all of them come to.
    pub total: CostTotal,
}

/// What all lines come to.
#[derive(Debug, Serialize, ToSchema)]
pub struct CostTotal {
    /// Paid requests.
    requests: i64,
    /// US dollars, of the requests whose price is known.
    cost: f64,
    /// Requests whose price is not known.
    unpriced: i64,
}

impl CostPage {
    /// What was paid since that day.
    pub fn new(since: NaiveDate, sums: Vec<Sum>) -> Self {
        let Total { requests, micros, unpriced } = Total::of(&sums);
        let total = CostTotal { requests, cost: dollars(micros), unpriced };
        Self { since, costs: sums.into_iter().map(CostLine::from).collect(), total }
    }
}

/// What a day, step and model came to.
#[derive(Debug, Serialize, ToSchema)]
pub struct CostLine {
    /// In UTC.
    #[schema(example = "2026-11-20")]
    day: String,
    step: String,
    model: String,
    /// Paid requests.
    requests: i64,
    /// US dollars; null where a price is not known.
    cost: Option<f64>,
    /// Of audio, where audio is what was paid for.
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<f64>,
    /// Tokens read, where tokens are what was paid for.
    #[serde(skip_serializing_if = "Option::is_none")]
    input_tokens: Option<i64>,
    /// Tokens written.
    #[serde(skip_serializing_if = "Option::is_none")]
    output_tokens: Option<i64>,
}

impl From<Sum> for CostLine {
    fn from(sum: Sum) -> Self {
        let (cost, audio) = (sum.cost().map(dollars), sum.seconds > 0.0);
        let Sum { day, step, model, requests, seconds, input_tokens, output_tokens, .. } = sum;
        Self {
            day,
            step,
            model,
            requests,
            cost,
            seconds: audio.then_some(seconds),
            input_tokens: (!audio).then_some(input_tokens),
            output_tokens: (!audio).then_some(output_tokens),
        }
    }
}
