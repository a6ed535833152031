//! Opportunities and their pipelines (facts: crm_ai §1.7).

use reqwest::Method;
use serde::Deserialize;

use super::api::Api;
use crate::http::{ClientError, ErrorKind};

/// An opportunity.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Opportunity {
    /// Its name.
    pub name: Option<String>,
    /// `open`, `won`, `lost`, `abandoned`.
    pub status: Option<String>,
    /// Its stage.
    pub pipeline_stage_id: Option<String>,
}

/// A pipeline.
#[derive(Debug, Clone, Deserialize)]
pub struct Pipeline {
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// Its stages, in order.
    #[serde(default)]
    pub stages: Vec<Stage>,
}

/// A stage of a pipeline.
#[derive(Debug, Clone, Deserialize)]
pub struct Stage {
    /// The CRM's id.
    pub id: String,
    /// Its name.
    #[serde(default)]
    pub name: String,
}

#[derive(Deserialize)]
struct One {
    opportunity: Opportunity,
}

#[derive(Deserialize)]
struct Many {
    pipelines: Vec<Pipeline>,
}

impl Api {
    /// An opportunity as it stands now; `None` when there is none of that id (any more), or the token may not read it.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn opportunity(&self, id: &str) -> Result<Option<Opportunity>, ClientError> {
        match self.send::<One>(self.request(Method::GET, &format!("/opportunities/{id}"))).await {
            Ok(found) => Ok(Some(found.opportunity)),
            Err(error) if error.kind == ErrorKind::Refused => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All pipelines of the location; none where the token may not read them.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn pipelines(&self) -> Result<Vec<Pipeline>, ClientError> {
        let request = self.request(Method::GET, "/opportunities/pipelines");
        match self.send::<Many>(request.query(&[("locationId", self.location.as_str())])).await {
            Ok(found) => Ok(found.pipelines),
            Err(error) if error.kind == ErrorKind::Refused => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }
}
