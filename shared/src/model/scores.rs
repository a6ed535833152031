//! From the model's scores to the call's: every criterion once, points on its scale, quotes verified. What they come to is
//! added up in [`Scored`], never by the model.

use serde::Deserialize;
use serde_json::Value;

use super::{
    reply::{Unusable, verified},
    wire::null_is_default,
};
use crate::domain::{Criterion, Score, Scorecard, Scored, Spoken};

#[derive(Deserialize)]
struct Given {
    #[serde(default, deserialize_with = "null_is_default")]
    quotes: Vec<String>,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    score: Option<f64>,
}

/// Reads the property `scorecard` of a reply; adds to `quotes_removed` how many quotes nobody had said.
pub(super) fn read(
    scorecard: &Scorecard,
    mut given: Value,
    spoken: &Spoken,
    quotes_removed: &mut usize,
) -> Result<Scored, Unusable> {
    let score = |criterion: &Criterion| {
        let given = given.get_mut(&criterion.id).map(Value::take);
        let off = |why: &str| Unusable::OffSchema(format!("scorecard.{}: {why}", criterion.id));
        let given: Given = serde_json::from_value(given.ok_or_else(|| off("it is missing"))?)
            .map_err(|_| off("expected an object of quotes, reason and score"))?;
        let points = given.score.map(|score| points(score, criterion.scale)).transpose().map_err(|why| off(&why))?;
        let asserted = given.quotes.iter().filter(|quote| !quote.trim().is_empty());
        let quotes: Vec<_> = asserted.clone().filter_map(|quote| verified(quote, spoken)).collect();
        *quotes_removed += asserted.count() - quotes.len();
        let reason = given.reason.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        Ok(Score::new(criterion, points, reason, quotes))
    };
    let scores: Result<Vec<_>, _> = scorecard.criteria.iter().map(score).collect();
    Ok(Scored::new(scorecard, scores?))
}

/// Some servers write whole numbers as `4.0`.
fn points(score: f64, scale: u32) -> Result<u32, String> {
    let all = (0..=scale).find(|points| (f64::from(*points) - score).abs() < 1e-9);
    all.ok_or_else(|| format!("score: expected a whole number from 0 to {scale}, or null"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests may panic")]
    use serde_json::json;

    use super::*;
    use crate::domain::{Speaker, Transcript, Turn};

    fn card() -> Scorecard {
        Scorecard::parse(
            r#"{"name": "Service", "criteria": [{"id": "greeting", "name": "Greeting", "description": "x", "scale": 2},
                {"id": "close", "name": "Close", "description": "y"}]}"#,
        )
        .unwrap()
    }

    fn reply(given: Value) -> Result<(Scored, usize), Unusable> {
        let text = "Good morning, Brightline. I will send it on Friday.".to_owned();
        let turns = vec![Turn { start: 0.0, end: 1.0, speaker: Speaker::Agent, text }];
        let mut removed = 0;
        let spoken = Spoken::of(&Transcript { turns, ..Transcript::default() });
        read(&card(), given, &spoken, &mut removed).map(|scored| (scored, removed))
    }

    #[test]
    fn points_stand_on_words_that_were_said() {
        let (scored, removed) = reply(json!({
            "greeting": {"quotes": ["Agent: good morning, Brightline"], "reason": "Names the company.", "score": 2},
            "close": {"quotes": ["I will call you on Monday"], "reason": " ", "score": 5.0},
        }))
        .unwrap();
        assert_eq!((scored.total, removed), (Some(100.0), 1));
        assert_eq!(scored.scores[0].quotes, ["good morning, Brightline"]);
        assert!(!scored.scores[0].unsupported && scored.scores[1].unsupported);
        assert_eq!((scored.scores[1].points, scored.scores[1].reason.as_deref()), (Some(5), None), "kept, and marked");
    }

    #[test]
    fn a_score_that_is_missing_or_off_its_scale_is_sent_back() {
        let good = || json!({"quotes": null, "score": null});
        assert_eq!(reply(json!({"greeting": good(), "close": good()})).unwrap().0.total, None);
        for (given, complaint) in [
            (json!(null), "scorecard.greeting: it is missing"),
            (json!({"greeting": good()}), "scorecard.close: it is missing"),
            (
                json!({"greeting": {"score": 3}, "close": good()}),
                "scorecard.greeting: score: expected a whole number from 0 to 2",
            ),
            (json!({"greeting": {"score": 1.5}, "close": good()}), "scorecard.greeting: score"),
            (json!({"greeting": "2/2", "close": good()}), "scorecard.greeting: expected an object"),
        ] {
            let told = reply(given).unwrap_err().complaint().unwrap();
            assert!(told.contains(complaint), "{told}");
        }
    }
}
