//! What `/metrics` shows, held against the table of docs/operations.md: what is named there is there, and the other way round.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

/// Where the series are named.
const TABLE: &str = "| metric | labels | meaning |";
/// The exporter's own label, of buckets.
const BUCKET: &str = "le";

type Labels = BTreeSet<String>;

/// Which process shows a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shows {
    /// Whoever takes webhooks.
    Ingest,
    /// Whoever works.
    Worker,
}

impl Shows {
    /// So that every series is somebody's.
    fn of(name: &str) -> Self {
        let is_ingests = name.starts_with("tapedeck_webhook") || name.starts_with("tapedeck_ingest_");
        if is_ingests { Self::Ingest } else { Self::Worker }
    }
}

/// What was scraped, in Prometheus' text format.
#[derive(Debug)]
pub struct Series {
    /// Every name, without what the exporter adds for the parts of a histogram, and its labels.
    families: BTreeMap<String, Labels>,
    samples: Vec<(String, BTreeMap<String, String>, f64)>,
    text: String,
}

impl Series {
    /// Reads an answer of `/metrics`.
    ///
    /// # Panics
    /// When it is none.
    pub fn read(text: &str) -> Self {
        let named = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
        let mut families: BTreeMap<String, Labels> = named.map(|name| (name.to_owned(), Labels::new())).collect();
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let samples: Vec<_> =
            lines.map(|line| sample(line).unwrap_or_else(|| panic!("{line:?} is no sample"))).collect();
        for (name, labels, _) in &samples {
            for part in ["", "_bucket", "_sum", "_count"] {
                if let Some(known) = name.strip_suffix(part).and_then(|family| families.get_mut(family)) {
                    known.extend(labels.keys().filter(|label| *label != BUCKET).cloned());
                }
            }
        }
        Self { families, samples, text: text.to_owned() }
    }

    /// The sum of what has this name and these labels.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let fits = |found: &BTreeMap<String, String>| {
            labels.iter().all(|(label, value)| found.get(*label).is_some_and(|found| found == value))
        };
        self.samples.iter().filter(|(found, of, _)| found == name && fits(of)).map(|(.., value)| value).sum()
    }

    /// What the page says and is not shown, or is shown and the page does not say; empty when they agree. Series that another
    /// process shows may be missing.
    ///
    /// # Panics
    /// When the page has no such table.
    pub fn against_the_page(&self, who: Shows) -> Vec<String> {
        let page = documented();
        let missing = page.iter().filter(|(name, _)| Shows::of(name) == who).filter_map(|(name, labels)| {
            match self.families.get(name) {
                None => Some(format!("{name} is not shown")),
                Some(shown) if shown != labels => Some(format!("{name} has the labels {shown:?}, not {labels:?}")),
                Some(_) => None,
            }
        });
        let unknown = self.families.keys().filter(|name| !page.contains_key(*name));
        missing.chain(unknown.map(|name| format!("{name} is not on the page"))).collect()
    }
}

impl std::fmt::Display for Series {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

/// `name{label="value",…} 1`.
fn sample(line: &str) -> Option<(String, BTreeMap<String, String>, f64)> {
    let (series, value) = line.rsplit_once(' ')?;
    let value = value.parse().ok()?;
    let Some((name, labels)) = series.split_once('{') else { return Some((series.to_owned(), BTreeMap::new(), value)) };
    let labels = labels.strip_suffix("\"}")?.split("\",").map(|label| {
        let (label, value) = label.split_once("=\"")?;
        Some((label.to_owned(), value.to_owned()))
    });
    Some((name.to_owned(), labels.collect::<Option<_>>()?, value))
}

/// Every series of the table, with its labels.
fn documented() -> BTreeMap<String, Labels> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operations.md");
    let page = std::fs::read_to_string(page).expect("docs/operations.md");
    let table = page.lines().skip_while(|line| *line != TABLE).skip(2).take_while(|line| line.starts_with('|'));
    let rows = table.flat_map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let labels: Labels =
            cells[2].split(',').map(|label| label.trim().to_owned()).filter(|l| !l.is_empty()).collect();
        let names = cells[1].split('`').filter(|name| name.starts_with("tapedeck_"));
        names.map(move |name| (name.to_owned(), labels.clone())).collect::<Vec<_>>()
    });
    let named: BTreeMap<_, _> = rows.collect();
    assert!(!named.is_empty(), "docs/operations.md has no table of metrics");
    named
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_and_what_is_named_are_held_against_each_other() {
        let shown = "# TYPE tapedeck_step_seconds histogram\n\
            tapedeck_step_seconds_bucket{queue=\"sync.crm\",outcome=\"done\",le=\"0.5\"} 1\n\
            tapedeck_step_seconds_sum{queue=\"sync.crm\",outcome=\"done\"} 0.25\n\n\
            # TYPE tapedeck_deaf_seconds gauge\ntapedeck_deaf_seconds 0\n\
            # TYPE tapedeck_in_flight gauge\ntapedeck_in_flight{pool=\"fetch\"} 2\n\
            # TYPE tapedeck_made_up gauge\ntapedeck_made_up 7\n";
        let shown = Series::read(shown);
        assert_eq!(shown.sum("tapedeck_step_seconds_sum", &[("queue", "sync.crm")]).to_string(), "0.25");
        let found = shown.against_the_page(Shows::Worker);
        assert!(found.contains(&"tapedeck_made_up is not on the page".to_owned()), "{found:?}");
        assert!(found.contains(&"tapedeck_jobs_dead is not shown".to_owned()), "{found:?}");
        assert!(found.iter().any(|wrong| wrong.starts_with("tapedeck_in_flight has the labels")), "{found:?}");
        for right in ["tapedeck_step_seconds", "tapedeck_deaf_seconds", "tapedeck_webhooks_total"] {
            assert!(!found.iter().any(|wrong| wrong.starts_with(right)), "{found:?}");
        }
    }
}
