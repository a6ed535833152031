//! Tells CloudTalk how the CRM's deals stand: a note whenever that changed, and tags that follow it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use super::{Carried, Deal, Mirror, Side, merge::Writes, pair::Pair, person::DEAL_TAG, take, texts};
use crate::{
    db,
    domain::{StepError, VerdictExt},
    http::ClientError,
    locks::Held,
    sinks::gohighlevel::Pipeline,
};

/// Names of stages are read again after that long.
const FRESH: Duration = Duration::from_secs(600);

/// What CloudTalk was last told of a deal.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Told {
    /// `open`, `won`, `lost`, `abandoned`.
    pub status: Option<String>,
    /// Name of its pipeline.
    pub pipeline: Option<String>,
    /// Name of its stage.
    pub stage: Option<String>,
    /// The tags that say so.
    pub tags: Vec<String>,
}

/// The location's pipelines, kept for a while.
#[derive(Default)]
pub(super) struct Pipelines(Mutex<Option<(chrono::DateTime<chrono::Utc>, Vec<Pipeline>)>>);

impl Mirror {
    /// Tells how the deal stands now, whatever the event says: it may have come late.
    pub(super) async fn deal(&self, held: &Held, pair: &Pair, said: &Deal, again: bool) -> Result<Carried, StepError> {
        let id = said.id.clone().unwrap_or_else(|| format!("{}:{}", pair.here, said.name.as_deref().unwrap_or("")));
        take(held, &[format!("deal:{id}")]).await?;
        let deal = self.as_it_stands(said).await?;
        let before = db::mirror::told(&self.db, &id).await.or_ours()?.unwrap_or_default();
        let told = Told {
            tags: tags(&deal),
            status: deal.status.clone(),
            pipeline: deal.pipeline.clone(),
            stage: deal.stage.clone(),
        };
        if told == before || (told.status.is_none() && told.stage.is_none()) {
            return Ok(Carried::Nothing("deal-known"));
        }
        let text = texts::deal(&deal, &id);
        let book = self.book(Side::CloudTalk);
        let written = again && book.notes(&pair.there).await?.last().is_some_and(|note| note.text == text);
        if !written && let Err(error) = book.add_note(&pair.there, &text).await {
            return Err(self.unless_gone(pair, error).await?);
        }
        if let Some(person) = book.read(&pair.there).await? {
            let has = |tag: &String| person.tags.iter().flatten().any(|held| held.eq_ignore_ascii_case(tag));
            let writes = Writes {
                add_tags: told.tags.iter().filter(|tag| !has(tag)).cloned().collect(),
                remove_tags: before.tags.iter().filter(|tag| !told.tags.contains(tag) && has(tag)).cloned().collect(),
                ..Writes::default()
            };
            if writes != Writes::default() {
                book.write(&person, &person.seen(None, None), &writes).await?;
            }
        }
        db::mirror::save_told(&self.db, &id, &told, self.clock.now()).await.or_ours()?;
        Ok(Carried::Written)
    }

    /// What the CRM says now, and for what it does not say, the event.
    async fn as_it_stands(&self, said: &Deal) -> Result<Deal, ClientError> {
        let mut deal = said.clone();
        let found = match &said.id {
            Some(id) => self.gohighlevel.api.opportunity(id).await?,
            None => None,
        };
        if let Some(found) = found {
            deal.name = found.name.or(deal.name);
            deal.status = found.status.map(|status| status.to_lowercase()).or(deal.status);
            deal.stage_id = found.pipeline_stage_id.or(deal.stage_id);
        }
        if let Some(id) = &deal.stage_id
            && let Some((pipeline, stage)) = self.stage(id).await?
        {
            (deal.pipeline, deal.stage) = (Some(pipeline), Some(stage));
        }
        Ok(deal)
    }

    /// The names of a stage and its pipeline.
    async fn stage(&self, id: &str) -> Result<Option<(String, String)>, ClientError> {
        let mut kept = self.pipelines.0.lock().await;
        let now = self.clock.now();
        let fresh = kept.as_ref().filter(|(at, _)| (now - at).to_std().unwrap_or_default() < FRESH);
        if let Some(names) = fresh.and_then(|(_, pipelines)| named(pipelines, id)) {
            return Ok(Some(names));
        }
        let pipelines = self.gohighlevel.api.pipelines().await?;
        let names = named(&pipelines, id);
        *kept = Some((now, pipelines));
        Ok(names)
    }
}

fn named(pipelines: &[Pipeline], stage: &str) -> Option<(String, String)> {
    pipelines.iter().find_map(|pipeline| {
        let stage = pipeline.stages.iter().find(|known| known.id == stage)?;
        Some((pipeline.name.clone(), stage.name.clone()))
    })
}

/// `GHL-Stage-Qualified`; and `GHL-Won` unless the deal is open.
fn tags(deal: &Deal) -> Vec<String> {
    let stage = deal.stage.as_deref().map(|stage| format!("{DEAL_TAG}Stage-{}", hyphened(stage)));
    let ended = deal.status.as_deref().filter(|status| *status != "open");
    let status = ended.map(|status| format!("{DEAL_TAG}{}", capital(&hyphened(status))));
    [stage, status].into_iter().flatten().collect()
}

fn hyphened(text: &str) -> String {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-")
}

fn capital(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().map(|first| first.to_uppercase().chain(rest).collect()).unwrap_or_default()
}
