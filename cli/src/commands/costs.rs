//! `costs`: what speech and models cost.

#![expect(clippy::print_stdout, reason = "the answer of a command goes to standard output")]

use chrono::{Days, NaiveDate};
use clap::Args;
use shared::{
    db::spending::{self, Sum, Total},
    domain::usd,
    env::Env,
    service::{App, Role},
};

use crate::table;

/// So many days before today, unless asked for more.
const DAYS: u64 = 30;

/// From when on.
#[derive(Args)]
pub struct Costs {
    /// From this day on (UTC, 2026-11-20); a month ago unless said
    #[arg(long, value_name = "DAY")]
    since: Option<NaiveDate>,
}

impl Costs {
    /// Prints what was paid, by day, step and model.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn run(self, env: Env) -> anyhow::Result<()> {
        let app = App::open("tapedeck", env, Role::Reader).await?;
        let today = app.clock.now().date_naive();
        let since = self.since.or_else(|| today.checked_sub_days(Days::new(DAYS))).unwrap_or(today);
        let sums = spending::since(&app.db, since).await?;
        let spent = spending::spent(&app.db, &today.to_string()).await?;
        let cap = app.env.var("DAILY_COST_CAP").map(str::to_owned);
        app.close().await;
        if sums.is_empty() {
            println!("nothing was paid since {since}");
            return Ok(());
        }
        let rows: Vec<_> = sums.iter().map(row).chain([total(Total::of(&sums))]).collect();
        table::print(["DAY", "STEP", "MODEL", "REQUESTS", "TOOK", "USD"], &rows);
        if let Some(cap) = cap {
            println!("\ntoday {} of {cap} USD, what is under way included", usd(spent));
        }
        Ok(())
    }
}

fn row(sum: &Sum) -> [String; 6] {
    let took = match sum.seconds {
        0.0 => format!("{} tokens in, {} out", sum.input_tokens, sum.output_tokens),
        seconds => format!("{:.1} minutes", seconds / 60.0),
    };
    let cost = sum.cost().map_or_else(|| "price not known".to_owned(), usd);
    [sum.day.clone(), sum.step.clone(), sum.model.clone(), sum.requests.to_string(), took, cost]
}

fn total(Total { requests, micros, unpriced }: Total) -> [String; 6] {
    let unknown = if unpriced == 0 { String::new() } else { format!(", and {unpriced} requests at a price not known") };
    let cost = format!("{}{unknown}", usd(micros));
    ["total".to_owned(), String::new(), String::new(), requests.to_string(), String::new(), cost]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_is_the_sum_of_what_is_known_and_says_what_is_not() {
        let sum = |micros, unpriced| Sum {
            day: "2026-11-20".into(),
            step: "transcribe".into(),
            model: "m".into(),
            requests: 2,
            seconds: 60.0,
            input_tokens: 0,
            output_tokens: 0,
            micros,
            unpriced,
        };
        let of = |sums: &[Sum]| total(Total::of(sums))[3..].join("|");
        assert_eq!(of(&[sum(24_500, 0), sum(1, 0)]), "4||0.024501");
        assert_eq!(of(&[sum(24_500, 0), sum(0, 2)]), "4||0.0245, and 2 requests at a price not known");
    }
}
