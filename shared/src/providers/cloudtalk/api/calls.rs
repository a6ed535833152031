//! The list of calls, and what only the analytics API says of one.

use chrono::{DateTime, Utc};
use reqwest::{Method, header::ACCEPT};
use serde_json::Value;

use super::{Api, is_id, text};
use crate::{domain::Phone, http::ClientError, providers::cloudtalk::NAME};

/// Rows of a page of the list.
const ROWS: usize = 500;

impl Api {
    /// A page (from 1) of the calls since then, and the next page where there is one. In which order they come CloudTalk
    /// does not say, nor in which time zone it reads the time.
    pub(in crate::providers::cloudtalk) async fn calls(
        &self,
        since: DateTime<Utc>,
        page: usize,
    ) -> Result<(Vec<Value>, Option<usize>), ClientError> {
        let (rows, last) = self.page("/calls/index.json", &[("date_from", &moment(since))], page, ROWS).await?;
        Ok((rows, (!last).then_some(page + 1)))
    }

    /// The calls with that number since then.
    pub(in crate::providers::cloudtalk) async fn calls_with(
        &self,
        phone: &Phone,
        since: DateTime<Utc>,
    ) -> Result<Vec<Value>, ClientError> {
        let digits = phone.as_str().trim_start_matches('+');
        let query = [("public_external", digits), ("date_from", &moment(since))];
        Ok(self.page("/calls/index.json", &query, 1, ROWS).await?.0)
    }

    /// The UUID of a call, which the list does not have; `None` where the analytics API cannot be asked: it is another
    /// server, and not part of every plan.
    pub(in crate::providers::cloudtalk) async fn uuid_of(&self, id: &str) -> Result<Option<String>, ClientError> {
        let Some(analytics) = self.analytics.as_ref().filter(|_| is_id(id)) else { return Ok(None) };
        let request = self.vendor.http().request(Method::GET, format!("{analytics}/calls/{id}"));
        let sent = self.vendor.send(self.credentials.sign(request).header(ACCEPT, "application/json")).await;
        let body = match sent {
            Ok(response) => response.text().await.map_err(|error| ClientError::from_transport(NAME, &error))?,
            Err(error) if matches!(error.status, Some(401..=404)) => return Ok(None),
            Err(error) => return Err(error),
        };
        let detail: Value = serde_json::from_str(&body).unwrap_or_default();
        Ok(text(&detail["uuid"]))
    }
}

fn moment(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S").to_string()
}
