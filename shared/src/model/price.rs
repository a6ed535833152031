//! What models cost, how much they read at once and how long they live. Names are settings; this table only adds what is known of some of them.

use chrono::NaiveDate;

use crate::domain::Usage;

/// US dollars per million tokens (input, output), without discounts for cached input (facts, crm_ai §2.4).
const PRICES: [(&str, f64, f64); 5] = [
    ("gpt-6-luna", 0.10, 0.50),
    ("gpt-5.6-luna", 0.20, 1.20),
    ("gpt-6.1-terra", 1.0, 5.0),
    ("gpt-6.1-sol", 2.0, 10.0),
    ("gpt-6-astra", 10.0, 50.0),
];

/// Tokens that a family of models reads at once, question and reply included, the with reserve. Those of GPT-6 read
/// more, at twice the price (facts, crm_ai §2.4).
const CONTEXTS: [(&str, usize); 4] =
    [("gpt-6", 272_000), ("gpt-5", 272_000), ("gpt-4.1", 272_000), ("gpt-4o", 128_000)];
/// Of any other model. Servers of one's own are often started with less: FEEDBACK_CONTEXT_TOKENS.
const CONTEXT: usize = 32_000;

/// The days on which OpenAI switches models off (facts, crm_ai §2.1).
const SHUTDOWNS: [(&str, (i32, u32, u32)); 17] = [
    ("gpt-3.5-turbo", (2026, 10, 23)),
    ("gpt-4", (2026, 10, 23)),
    ("gpt-4-turbo", (2026, 10, 23)),
    ("gpt-4.1-nano", (2026, 10, 23)),
    ("o1", (2026, 10, 23)),
    ("o3-mini", (2026, 10, 23)),
    ("o4-mini", (2026, 10, 23)),
    ("gpt-5", (2026, 12, 11)),
    ("gpt-5-mini", (2026, 12, 11)),
    ("gpt-5-nano", (2026, 12, 11)),
    ("o3", (2026, 12, 11)),
    ("gpt-4o", (2027, 1, 14)),
    ("gpt-4o-mini", (2027, 1, 14)),
    ("gpt-4.1", (2027, 1, 14)),
    ("gpt-4.1-mini", (2027, 1, 14)),
    ("gpt-5.1", (2027, 4, 1)),
    ("gpt-5.4-nano", (2027, 4, 1)),
];

/// US dollars per million tokens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Price {
    pub(super) input: f64,
    pub(super) output: f64,
}

impl Price {
    /// The price of the model, where it is known.
    pub(super) fn of(model: &str) -> Option<Self> {
        let (_, input, output) = *PRICES.iter().find(|(name, ..)| is(model, name))?;
        Some(Self { input, output })
    }

    /// US dollars for these tokens.
    pub(super) fn cost(self, usage: &Usage) -> f64 {
        (usage.input_tokens as f64 * self.input + usage.output_tokens as f64 * self.output) / 1e6
    }
}

/// Tokens that the model reads at once.
pub(super) fn context(model: &str) -> usize {
    let known = CONTEXTS.iter().find(|(family, _)| model.starts_with(family));
    known.map_or(CONTEXT, |(_, tokens)| *tokens)
}

/// When OpenAI switches the model off, where that is known.
pub(super) fn shutdown(model: &str) -> Option<NaiveDate> {
    let (_, (year, month, day)) = SHUTDOWNS.iter().find(|(name, _)| is(model, name))?;
    NaiveDate::from_ymd_opt(*year, *month, *day)
}

/// Whether the model is OpenAI's and takes `reasoning_effort`. Others may refuse a parameter that they do not know.
pub(super) fn reasons(model: &str) -> bool {
    ["gpt-5", "gpt-6", "o3", "o4"].iter().any(|family| model.starts_with(family))
}

/// The name itself, or a dated snapshot of it (`gpt-6-luna-2026-09-01`).
fn is(model: &str, name: &str) -> bool {
    model.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with("-20"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_become_dollars_where_the_price_is_known() {
        let usage = Usage { input_tokens: 2_000_000, output_tokens: 1_000_000, cost: None };
        let cost = |model| Price::of(model).map(|price| price.cost(&usage));
        assert_eq!(cost("gpt-6-luna"), Some(0.7));
        assert_eq!(cost("gpt-6-luna-2026-09-01"), Some(0.7));
        assert_eq!(cost("llama3"), None);
    }

    #[test]
    fn each_shutdown_is_a_day_and_belongs_to_its_model_alone() {
        for (model, _) in SHUTDOWNS {
            assert!(shutdown(model).is_some(), "{model}");
        }
        assert_eq!(shutdown("gpt-4o-mini-2024-07-18"), NaiveDate::from_ymd_opt(2027, 1, 14));
        assert_eq!(shutdown("gpt-6-luna"), None);
        assert_eq!(shutdown("gpt-5.6-luna"), None);
    }
}
