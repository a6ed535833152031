//! How a process starts, and what it tells orchestrators.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

use std::{fs::Permissions, os::unix::fs::PermissionsExt, path::Path};

use futures::FutureExt;
use shared::{
    env::Env,
    recordings::{self, Spool},
    service::{
        self, App, Role,
        ops::{self, Needs},
    },
    testing::{Scratch, Shape, eventually},
};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

#[tokio::test]
async fn a_process_refuses_a_schema_that_is_behind_until_somebody_migrates() {
    let scratch = Scratch::new(Shape::Production).await;
    let process = Env::from_process().unwrap();
    let server = process.required("TEST_DATABASE_URL").unwrap();
    let name = format!("tapedeck_{}", Uuid::now_v7().simple());
    let mut url = url::Url::parse(server).unwrap();
    url.set_path(&name);
    let mut connection = PgConnection::connect(server).await.unwrap();
    sqlx::query(AssertSqlSafe(format!("create database {name}"))).execute(&mut connection).await.unwrap();
    let env = scratch.env().with([("DATABASE_URL", url.as_str())]);

    let refused = App::open("test", env.clone(), Role::Part).await.map(drop).unwrap_err();
    let opened = async {
        service::migrate(&env).await?;
        let app = App::open("test", env.clone(), Role::Part).await?;
        app.close().await;
        anyhow::Ok(())
    };
    let opened = opened.await;
    sqlx::query(AssertSqlSafe(format!("drop database {name} with (force)"))).execute(&mut connection).await.unwrap();
    assert!(refused.to_string().contains("tapedeck migrate"), "{refused:#}");
    opened.unwrap();
}

#[tokio::test]
async fn all_processes_sign_links_with_the_same_secret() {
    let scratch = Scratch::new(Shape::Production).await;
    let env = scratch.env().with([("WEBHOOK_BASE_URL", "https://calls.example.test")]);
    let (one, other) =
        tokio::join!(App::open("one", env.clone(), Role::Part), App::open("other", env.clone(), Role::Part));
    let (one, other) = (one.unwrap(), other.unwrap());
    let call = shared::domain::Call {
        id: shared::domain::CallId::new(),
        provider: shared::domain::ProviderId::new("cloudtalk"),
        account: "default".into(),
        facts: shared::domain::CallFacts::default(),
        conclusion: None,
        created_at: one.clock.now(),
    };
    let link = one.links.link(&call).unwrap();
    assert_eq!(Some(&link), other.links.link(&call).as_ref());
    let chosen = App::open("third", env.with([("TAPEDECK_LINK_SECRET", "chosen")]), Role::Part).await.unwrap();
    assert_ne!(Some(link), chosen.links.link(&call));
}

/// What others on the machine may do with each file and directory below.
fn open_to_others(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap().map(Result::unwrap);
    let open = entries.flat_map(|entry| {
        let (path, known) = (entry.path(), entry.metadata().unwrap());
        let mode = known.permissions().mode() & 0o777;
        let own = (mode & 0o077 != 0).then(|| format!("{mode:o} {}", path.display()));
        let below = if known.is_dir() { open_to_others(&path) } else { Vec::new() };
        own.into_iter().chain(below)
    });
    open.collect()
}

#[tokio::test]
async fn what_is_kept_is_for_its_owner_alone_also_where_an_older_version_was_careless() {
    let scratch = Scratch::new(Shape::Embedded).await;
    let (data, spool) = (scratch.path().join("above/data"), scratch.path().join("spool"));
    let env =
        scratch.env().with([("TAPEDECK_DATA", data.to_str().unwrap()), ("TAPEDECK_SPOOL", spool.to_str().unwrap())]);
    let app = App::open("one", env.clone(), Role::Whole).await.unwrap();
    let spooled = Spool::new(&recordings::spool_directory(&env).unwrap()).unwrap().finish().await.unwrap();
    app.recordings.put("recordings/cloudtalk/2026/11/a.wav", spooled.path(), "audio/wav").await.unwrap();
    let files =
        ["tapedeck.db", "tapedeck.db-wal", "lock", "recordings/cloudtalk/2026/11/a.wav"].map(|name| data.join(name));
    assert!(files.iter().all(|file| file.exists()), "{files:?}");
    assert_eq!(open_to_others(scratch.path()), Vec::<String>::new());
    app.close().await;
    drop(app);
    std::fs::set_permissions(&files[0], Permissions::from_mode(0o644)).unwrap();
    App::open("two", env, Role::Whole).await.unwrap().close().await;
    assert_eq!(open_to_others(scratch.path()), Vec::<String>::new());
}

#[tokio::test]
async fn a_worker_that_drains_is_alive_but_not_ready() {
    let scratch = Scratch::new(Shape::Embedded).await;
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port().to_string();
    let env = scratch.env().with([("HOST", "127.0.0.1"), ("METRICS_PORT", &port)]);
    let app = App::open("worker", env, Role::Whole).await.unwrap();
    let (stop, drained) = (CancellationToken::new(), CancellationToken::new());
    let work = tokio::spawn({
        let (app, stop, drained) = (app.clone(), stop.clone(), drained.clone());
        async move { ops::during(&app, Needs::DatabaseAndBroker, stop, drained.cancelled().map(anyhow::Ok)).await }
    });
    let status = async |path: &str| {
        let answer = app.outside.http.get(format!("http://127.0.0.1:{port}{path}")).send().await;
        answer.map_or(0, |answer| answer.status().as_u16())
    };
    eventually("it is ready", async || status("/readyz").await == 200).await;
    stop.cancel();
    assert_eq!((status("/readyz").await, status("/livez").await, status("/metrics").await), (503, 200, 200));
    drained.cancel();
    work.await.unwrap().unwrap();
    eventually("nobody answers any more", async || status("/livez").await == 0).await;
}
