//! What the mirror remembers: who is who, which notes are copies, what was told of deals.

use chrono::{DateTime, Utc};
use sqlx::types::Json;

use super::Db;
use crate::mirror::{Link, Side, Told};

/// Who is linked to this contact.
///
/// # Errors
/// When the database is away.
pub async fn link(db: &Db, side: Side, id: &str) -> sqlx::Result<Option<Link>> {
    let sql = match side {
        Side::CloudTalk => "select cloudtalk_id, gohighlevel_id, seen from mirror_links where cloudtalk_id = $1",
        Side::GoHighLevel => "select cloudtalk_id, gohighlevel_id, seen from mirror_links where gohighlevel_id = $1",
    };
    let row: Option<(String, String, Json<_>)> = on!(db, c => sqlx::query_as(sql).bind(id).fetch_optional(c).await)?;
    Ok(row.map(|(cloudtalk, gohighlevel, Json(seen))| Link { cloudtalk, gohighlevel, seen }))
}

/// Links the two, in place of whomever either was linked to before.
///
/// # Errors
/// When the database is away.
pub async fn save_link(db: &Db, link: &Link, now: DateTime<Utc>) -> sqlx::Result<()> {
    let others = "delete from mirror_links
        where (cloudtalk_id = $1 and gohighlevel_id <> $2) or (gohighlevel_id = $2 and cloudtalk_id <> $1)";
    let this = "insert into mirror_links (cloudtalk_id, gohighlevel_id, seen, updated_at) values ($1, $2, $3, $4)
        on conflict (cloudtalk_id) do update set seen = excluded.seen, updated_at = excluded.updated_at";
    let mut tx = db.begin().await?;
    within!(&mut tx, c => {
        let query = sqlx::query(others).bind(&link.cloudtalk).bind(&link.gohighlevel);
        query.execute(c).await.map(drop)
    })?;
    within!(&mut tx, c => {
        let query = sqlx::query(this).bind(&link.cloudtalk).bind(&link.gohighlevel).bind(Json(&link.seen)).bind(now);
        query.execute(c).await.map(drop)
    })?;
    tx.commit().await
}

/// Forgets who is linked to a contact that is gone.
///
/// # Errors
/// When the database is away.
pub async fn unlink(db: &Db, side: Side, id: &str) -> sqlx::Result<()> {
    let sql = match side {
        Side::CloudTalk => "delete from mirror_links where cloudtalk_id = $1",
        Side::GoHighLevel => "delete from mirror_links where gohighlevel_id = $1",
    };
    on!(db, c => sqlx::query(sql).bind(id).execute(c).await.map(drop))
}

/// Whether this note was copied.
///
/// # Errors
/// When the database is away.
pub async fn is_copied(db: &Db, side: Side, note: &str) -> sqlx::Result<bool> {
    let sql = "select count(*) from mirror_notes where side = $1 and note_id = $2";
    let count: i64 = on!(db, c => sqlx::query_scalar(sql).bind(side.as_str()).bind(note).fetch_one(c).await)?;
    Ok(count > 0)
}

/// Remembers the copy of a note.
///
/// # Errors
/// When the database is away.
pub async fn save_copy(db: &Db, side: Side, note: &str, copy: &str, now: DateTime<Utc>) -> sqlx::Result<()> {
    let sql = "insert into mirror_notes (side, note_id, copy_id, copied_at) values ($1, $2, $3, $4)
        on conflict (side, note_id) do nothing";
    on!(db, c => {
        sqlx::query(sql).bind(side.as_str()).bind(note).bind(copy).bind(now).execute(c).await.map(drop)
    })
}

/// What was last told of a deal.
///
/// # Errors
/// When the database is away.
pub async fn told(db: &Db, deal: &str) -> sqlx::Result<Option<Told>> {
    let sql = "select told from mirror_deals where deal_id = $1";
    let row: Option<Json<Told>> = on!(db, c => sqlx::query_scalar(sql).bind(deal).fetch_optional(c).await)?;
    Ok(row.map(|Json(told)| told))
}

/// Remembers what was told of a deal.
///
/// # Errors
/// When the database is away.
pub async fn save_told(db: &Db, deal: &str, told: &Told, now: DateTime<Utc>) -> sqlx::Result<()> {
    let sql = "insert into mirror_deals (deal_id, told, told_at) values ($1, $2, $3)
        on conflict (deal_id) do update set told = excluded.told, told_at = excluded.told_at";
    on!(db, c => sqlx::query(sql).bind(deal).bind(Json(told)).bind(now).execute(c).await.map(drop))
}
