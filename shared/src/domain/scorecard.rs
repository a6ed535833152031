//! The operator's scorecard, and what a call scored by it. A model gives the points; whether words of the call show them, and
//! what they come to, is found out here.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

/// More criteria than this are no longer judged with care.
const MOST_CRITERIA: usize = 30;
/// The finest scale.
const FINEST: u32 = 10;
/// Longest id, in characters: it becomes the name of a property in the schema.
const LONGEST_ID: usize = 40;
/// Longest text of a criterion, in characters.
const LONGEST_TEXT: usize = 1000;

/// What calls are scored by.
#[derive(Debug, Clone, PartialEq)]
pub struct Scorecard {
    /// What people call it.
    pub name: String,
    /// The operator's own version of it.
    pub version: Option<String>,
    /// Of its content; a change that nobody gave a version to shows all the same.
    pub digest: String,
    /// In the order in which they are shown; at least one.
    pub criteria: Vec<Criterion>,
}

/// One thing that is looked at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Criterion {
    /// Its stable name: `a-z`, `0-9` and `_`.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What earns the points, for the model.
    pub description: String,
    /// How much it counts against the others.
    #[serde(default = "one")]
    pub weight: f64,
    /// The most points; the fewest are 0.
    #[serde(default = "five")]
    pub scale: u32,
}

const fn one() -> f64 {
    1.0
}

const fn five() -> u32 {
    5
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    #[serde(default)]
    version: Option<String>,
    criteria: Vec<Criterion>,
}

impl Scorecard {
    /// Reads a scorecard as it was written.
    ///
    /// # Errors
    /// What is wrong and where, for whoever wrote it.
    pub fn parse(json: &str) -> Result<Self, String> {
        let file: File = serde_json::from_str(json).map_err(|e| e.to_string())?;
        if file.name.trim().is_empty() {
            return Err("name is empty".into());
        }
        match file.criteria.len() {
            0 => return Err("criteria: there is none".into()),
            1..=MOST_CRITERIA => {}
            count => return Err(format!("criteria: {count} of them, at most {MOST_CRITERIA}")),
        }
        let mut ids = HashSet::new();
        for (at, criterion) in file.criteria.iter().enumerate() {
            criterion.check().map_err(|why| format!("criteria[{at}] ({}): {why}", criterion.id))?;
            if !ids.insert(criterion.id.as_str()) {
                return Err(format!("criteria[{at}] ({}): id: there are two of it", criterion.id));
            }
        }
        let content = serde_json::to_vec(&file).map_err(|e| e.to_string())?;
        let digest = hex::encode(&Sha256::digest(content)[..6]);
        Ok(Self { name: file.name.trim().to_owned(), version: file.version, digest, criteria: file.criteria })
    }
}

impl Criterion {
    fn check(&self) -> Result<(), &'static str> {
        let named = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if self.id.is_empty() || self.id.len() > LONGEST_ID || !self.id.chars().all(named) {
            return Err("id: expected 1 to 40 of a-z, 0-9 and _");
        }
        for (text, empty, long) in [
            (&self.name, "name is empty", "name is longer than 1000 characters"),
            (&self.description, "description is empty", "description is longer than 1000 characters"),
        ] {
            match text.trim().chars().count() {
                0 => return Err(empty),
                1..=LONGEST_TEXT => {}
                _ => return Err(long),
            }
        }
        if !(self.weight.is_finite() && self.weight > 0.0 && self.weight <= 1000.0) {
            return Err("weight: expected a number above 0, at most 1000");
        }
        if !(1..=FINEST).contains(&self.scale) {
            return Err("scale: expected the most points there are, 1 to 10");
        }
        Ok(())
    }
}

/// What a call scored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Scored {
    /// The scorecard's name.
    pub name: String,
    /// The operator's version of it.
    pub version: Option<String>,
    /// Of its content.
    pub digest: String,
    /// 0 to 100, weighted, over the scores that count; absent where none does.
    pub total: Option<f64>,
    /// In the scorecard's order.
    pub scores: Vec<Score>,
}

/// What a call scored by one criterion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Score {
    /// The criterion's id.
    pub id: String,
    /// The criterion's name.
    pub name: String,
    /// How much it counts.
    pub weight: f64,
    /// Absent where the call gave no occasion for it.
    pub points: Option<u32>,
    /// The most points.
    pub scale: u32,
    /// Why, in the model's words.
    pub reason: Option<String>,
    /// Words of the call that show it, each verified.
    pub quotes: Vec<String>,
    /// Points were given and no words of the call show them: they do not count. What was not done has no words to show it,
    /// so 0 points need none.
    pub unsupported: bool,
}

impl Score {
    /// Points for a criterion, with the quotes that were verified.
    pub fn new(criterion: &Criterion, points: Option<u32>, reason: Option<String>, quotes: Vec<String>) -> Self {
        let Criterion { id, name, weight, scale, .. } = criterion.clone();
        let unsupported = points.is_some_and(|points| points > 0) && quotes.is_empty();
        Self { id, name, weight, points, scale, reason, quotes, unsupported }
    }

    fn share(&self) -> Option<f64> {
        let points = self.points.filter(|_| !self.unsupported)?;
        Some(f64::from(points) / f64::from(self.scale))
    }
}

impl Scored {
    /// Adds up.
    pub fn new(scorecard: &Scorecard, scores: Vec<Score>) -> Self {
        let (mut sum, mut weights) = (0.0, 0.0);
        for score in &scores {
            if let Some(share) = score.share() {
                sum += share * score.weight;
                weights += score.weight;
            }
        }
        let Scorecard { name, version, digest, .. } = scorecard.clone();
        let total = (weights > 0.0).then(|| (sum / weights * 1000.0).round() / 10.0);
        Self { name, version, digest, total, scores }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests may panic")]
    use super::*;

    const TWO: &str = r#"{"name": "Service", "version": "2026-11", "criteria": [
        {"id": "greeting", "name": "Greeting", "description": "Says the company's name."},
        {"id": "next_step", "name": "Next step", "description": "Agrees on one.", "weight": 3, "scale": 2}]}"#;

    #[test]
    fn a_scorecard_is_read_and_its_digest_follows_its_content_alone() {
        let card = Scorecard::parse(TWO).unwrap();
        assert_eq!((card.name.as_str(), card.version.as_deref()), ("Service", Some("2026-11")));
        assert_eq!((card.criteria[0].weight, card.criteria[0].scale), (1.0, 5));
        assert_eq!(Scorecard::parse(&TWO.replace('\n', " ")).unwrap().digest, card.digest);
        assert_ne!(Scorecard::parse(&TWO.replace("one.", "two.")).unwrap().digest, card.digest);
    }

    #[test]
    fn what_is_wrong_with_a_scorecard_is_said_with_its_place() {
        for (from, to, expected) in [
            ("\"Service\"", "\" \"", "name is empty"),
            ("\"next_step\"", "\"greeting\"", "criteria[1] (greeting): id: there are two of it"),
            ("\"greeting\"", "\"Opening line\"", "criteria[0] (Opening line): id: expected 1 to 40 of a-z, 0-9 and _"),
            (
                "\"weight\": 3",
                "\"weight\": 0",
                "criteria[1] (next_step): weight: expected a number above 0, at most 1000",
            ),
            (
                "\"scale\": 2",
                "\"scale\": 100",
                "criteria[1] (next_step): scale: expected the most points there are, 1 to 10",
            ),
            ("\"Agrees on one.\"", "\"\"", "criteria[1] (next_step): description is empty"),
            ("\"weight\"", "\"wieght\"", "unknown field `wieght`"),
        ] {
            let error = Scorecard::parse(&TWO.replace(from, to)).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
        assert!(Scorecard::parse(r#"{"name": "x", "criteria": []}"#).unwrap_err().contains("there is none"));
        assert!(Scorecard::parse("{\n\"name\": \"x\",}").unwrap_err().contains("line 2"));
    }

    fn scored(points: [(Option<u32>, &[&str]); 2]) -> Scored {
        let card = Scorecard::parse(TWO).unwrap();
        let score = |(criterion, (points, quotes)): (&Criterion, (Option<u32>, &[&str]))| {
            Score::new(criterion, points, None, quotes.iter().map(|quote| (*quote).to_owned()).collect())
        };
        Scored::new(&card, card.criteria.iter().zip(points).map(score).collect())
    }

    #[test]
    fn the_total_is_weighted_and_leaves_out_what_nothing_shows() {
        assert_eq!(scored([(Some(5), &["Hello"]), (Some(1), &["Friday"])]).total, Some(62.5));
        let unsupported = scored([(Some(5), &["Hello"]), (Some(2), &[])]);
        assert_eq!((unsupported.total, unsupported.scores[1].unsupported), (Some(100.0), true));
        let not_done = scored([(Some(5), &["Hello"]), (Some(0), &[])]);
        assert_eq!((not_done.total, not_done.scores[1].unsupported), (Some(25.0), false));
        assert_eq!(scored([(Some(5), &["Hello"]), (None, &[])]).total, Some(100.0), "there was no occasion");
        assert_eq!(scored([(None, &[]), (Some(1), &[])]).total, None);
    }
}
