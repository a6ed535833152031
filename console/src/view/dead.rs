//! What failed for good.

use serde::Serialize;
use shared::db::console::{DeadGroup, DeadJob};
use utoipa::ToSchema;

/// What failed for good.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeadPage {
    /// All of it, by queue and reason, most first.
    pub groups: Vec<DeadGroup>,
    /// Those that were asked for, oldest first.
    pub jobs: Vec<DeadJob>,
}
