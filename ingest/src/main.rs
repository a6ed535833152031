//! `ingest`: takes webhooks on `PORT`. The same as `tapedeck ingest`.

use std::process::ExitCode;

use shared::{
    env::Env,
    service::{self, App, Role},
};

fn main() -> ExitCode {
    service::run("ingest", Env::from_process(), async |env, stop| {
        let app = App::open("ingest", env, Role::Part).await?;
        let served = ingest::run(app.clone(), stop).await;
        app.close().await;
        served
    })
}
