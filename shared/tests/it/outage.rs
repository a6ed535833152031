//! PostgreSQL is there, but not for everybody: connections that went silent, rows that somebody holds.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use shared::{
    clock::Clock,
    db::{self, Db, outage},
    domain::{CallId, NewJob, QueueName, Step, Wake},
    testing::{Scratch, Shape, eventually},
};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// In front of a server. Connections that are open can be made silent, as a firewall does that forgets them; new ones work.
struct Proxy {
    url: String,
    silence: watch::Sender<()>,
}

impl Proxy {
    async fn new(url: &str) -> Self {
        let mut url = url::Url::parse(url).unwrap();
        let server = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap_or(5432));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        url.set_host(Some("127.0.0.1")).unwrap();
        url.set_port(Some(listener.local_addr().unwrap().port())).unwrap();
        let (silence, silenced) = watch::channel(());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let mut silenced = silenced.clone();
                silenced.mark_unchanged();
                tokio::spawn(pass(client, server.clone(), silenced));
            }
        });
        Self { url: url.into(), silence }
    }
}

async fn pass(mut client: TcpStream, server: String, mut silenced: watch::Receiver<()>) {
    let mut server = TcpStream::connect(server).await.unwrap();
    tokio::select! {
        _ = copy_bidirectional(&mut client, &mut server) => {}
        // Held open, and never heard of again, until the test ends.
        Ok(()) = silenced.changed() => while silenced.changed().await.is_ok() {},
    }
}

#[tokio::test]
async fn a_connection_that_went_silent_is_given_up_and_made_anew() {
    let scratch = Scratch::new(Shape::Production).await;
    let proxy = Proxy::new(scratch.env().required("DATABASE_URL").unwrap()).await;
    // One connection: were it lost to the pool, nothing would work any more.
    let db = Db::open(&proxy.url, 1).await.unwrap();
    let Db::Postgres(pool) = &db else { panic!("not Postgres") };
    db.ping().await.unwrap();
    eventually("the connection is given back", async || pool.num_idle() == 1).await;
    proxy.silence.send_replace(());
    let asked = outage::within(Duration::from_millis(300), db.ping()).await.flatten();
    assert!(outage::is_away(&asked.unwrap_err()));
    eventually("the database answers", async || outage::within(outage::PATIENCE, db.ping()).await.flatten().is_ok())
        .await;
}

#[tokio::test]
async fn a_row_that_somebody_holds_holds_up_no_other() {
    let scratch = Scratch::new(Shape::Production).await;
    let db = scratch.db().await;
    let Db::Postgres(pool) = &db else { panic!("not Postgres") };
    let (now, long_ago) = (Clock::system().now(), Clock::system().now() - TimeDelta::hours(1));
    let jobs: Vec<_> = (0..5).map(|_| (NewJob::step(Step::Fetch, CallId::new(), Wake::No), None)).collect();
    let mut tx = db.begin().await.unwrap();
    db::jobs::add(&mut tx, &jobs, long_ago, long_ago).await.unwrap();
    let ids: Vec<_> = jobs.iter().map(|(job, _)| job.id).collect();
    db::jobs::published(&mut tx, &ids).await.unwrap();
    tx.commit().await.unwrap();

    let mut held = pool.begin().await.unwrap();
    sqlx::query("select id from jobs where id = $1 for update").bind(ids[0].0).execute(&mut *held).await.unwrap();
    let (queue, began) = (QueueName::new("fetch"), Instant::now());
    assert_eq!(db::jobs::republish_lost(&db, &queue, now).await.unwrap(), 4);
    assert_eq!(db::jobs::republish(&db, &queue).await.unwrap(), 0);
    assert!(began.elapsed() < Duration::from_secs(5), "it waited for the row");
    held.rollback().await.unwrap();
    assert_eq!(db::jobs::republish(&db, &queue).await.unwrap(), 1);
    assert_eq!(db::jobs::next_due(&db).await.unwrap(), Some(long_ago));
}
