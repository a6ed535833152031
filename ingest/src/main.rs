//! `ingest`: takes webhooks on `PORT`. The same as `tapedeck ingest`.

use std::process::ExitCode;

use shared::{
    env::Env,
    service::{
        self, App, Role,
        ops::{self, Needs},
    },
};

fn main() -> ExitCode {
    service::run("ingest", Env::from_process(), async |env, stop| {
        let app = App::open("ingest", env, Role::Part).await?;
        let served = ops::during(&app, Needs::Database, stop.clone(), ingest::run(app.clone(), stop)).await;
        app.close().await;
        served
    })
}
