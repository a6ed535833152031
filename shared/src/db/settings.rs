//! Values that all processes share and nobody sets by hand.

use super::Db;

/// The value under `name`.
///
/// # Errors
/// When the database is away.
pub async fn get(db: &Db, name: &str) -> sqlx::Result<Option<String>> {
    let sql = "select value from settings where name = $1";
    on!(db, c => sqlx::query_scalar(sql).bind(name).fetch_optional(c).await)
}

/// Sets the value under `name`.
///
/// # Errors
/// When the database is away.
pub async fn put(db: &Db, name: &str, value: &str) -> sqlx::Result<()> {
    let sql =
        "insert into settings (name, value) values ($1, $2) on conflict (name) do update set value = excluded.value";
    on!(db, c => sqlx::query(sql).bind(name).bind(value).execute(c).await.map(drop))
}

/// The value under `name`, which is `value` if there was none. Whoever comes first decides for all.
///
/// # Errors
/// When the database is away.
pub async fn get_or_insert(db: &Db, name: &str, value: &str) -> sqlx::Result<String> {
    let insert = "insert into settings (name, value) values ($1, $2) on conflict (name) do nothing";
    on!(db, c => sqlx::query(insert).bind(name).bind(value).execute(c).await.map(drop))?;
    let select = "select value from settings where name = $1";
    on!(db, c => sqlx::query_scalar(select).bind(name).fetch_one(c).await)
}
