//! Rounds of polling, where several processes could make them.

use chrono::TimeDelta;
use sandbox::{Fault, FaultKind, Sandbox, Vendor};
use shared::{
    domain::Step,
    service::{App, Role},
    testing::{Scratch, Shape, eventually},
};
use tokio_util::sync::CancellationToken;
use workers::pipeline::Pool;

/// Milliseconds; longer than from one round to the next, so that who could ask meanwhile would.
const ROUND: u32 = 800;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_processes_one_at_a_time_asks() {
    let sandbox = Sandbox::start(([127, 0, 0, 1], 0).into()).await.unwrap();
    let slow = FaultKind::Hang { ms: ROUND.into() };
    sandbox.fault(Fault::new(Vendor::Twilio, slow).path("/Recordings.json"));
    let scratch = Scratch::new(Shape::Production).await;
    let env = scratch.env().with([
        ("TWILIO_ACCOUNT_SID", sandbox::TWILIO_ACCOUNT),
        ("TWILIO_AUTH_TOKEN", "token"),
        ("TWILIO_BASE_URL", &sandbox.base_urls().twilio),
        ("TWILIO_RECORDING_POLLING", "true"),
        ("TWILIO_RECORDING_POLL_INTERVAL_MINUTES", "0.01"),
        ("RETRY_SCALE", "0.02"),
        ("LEASE_SECONDS", "5"),
    ]);
    let stop = CancellationToken::new();
    let mut processes = Vec::new();
    for name in ["one", "other"] {
        let app = App::open(name, env.clone(), Role::Part).await.unwrap();
        let pools = vec![Pool { step: Step::Poll, sink: None }];
        let working = workers::run(app.clone(), pools, stop.clone());
        processes.push((app, tokio::spawn(async move { working.await.unwrap() })));
    }
    let rounds = || sandbox.asked(Vendor::Twilio, "/Recordings.json");
    eventually("there were some rounds", async || rounds().len() >= 5).await;
    stop.cancel();
    for (app, working) in processes {
        working.await.unwrap();
        app.close().await;
    }
    let mut began: Vec<_> = rounds().iter().map(|line| line.at).collect();
    began.sort_unstable();
    let closest = began.windows(2).map(|two| two[1] - two[0]).min().unwrap();
    assert!(closest >= TimeDelta::milliseconds(ROUND.into()), "{closest} between the beginnings of two rounds");
}
