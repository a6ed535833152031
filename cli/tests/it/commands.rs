//! What each command says when it is alone.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

use std::{net::TcpListener, time::Duration};

use sandbox::Sandbox;
use shared::{
    budgets::{Budgets, OPEN_AFTER},
    clock::Clock,
    db::{Db, budgets},
};

use crate::program::{Running, complaint, printed, run, tapedeck};

#[test]
fn help_shows_examples() {
    let directory = tempfile::tempdir().unwrap();
    let help = printed(&run(&["--help"], directory.path(), &[]));
    assert!(help.contains("Examples:") && help.contains("tapedeck demo"), "{help}");
}

#[test]
fn a_part_alone_refuses_to_start_without_a_common_database_and_broker() {
    let directory = tempfile::tempdir().unwrap();
    for part in ["ingest", "worker", "console"] {
        let complaint = complaint(&run(&[part], directory.path(), &[]));
        assert!(complaint.contains("DATABASE_URL and AMQP_URL"), "{part}: {complaint}");
    }
    let left: Vec<_> = std::fs::read_dir(directory.path()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_setting_that_cannot_be_used_is_named_and_not_repeated() {
    let directory = tempfile::tempdir().unwrap();
    for (name, value) in [("LOG_FORMAT", "hunter2"), ("RUST_LOG", "hunter2=hunter2=x"), ("PORT", "hunter2")] {
        let complaint = complaint(&run(&["up"], directory.path(), &[(name, value)]));
        assert!(complaint.contains(name) && !complaint.contains("hunter2"), "{name}: {complaint}");
    }
}

#[test]
fn a_line_of_env_that_cannot_be_read_is_placed_and_not_repeated() {
    let directory = tempfile::tempdir().unwrap();
    let lines = "PORT=3000\nGENERIC_RECORDING_AUTHORIZATION=Bearer hunter2\n";
    std::fs::write(directory.path().join(".env"), lines).unwrap();
    let complaint = complaint(&run(&["doctor"], directory.path(), &[]));
    assert!(complaint.contains("after PORT") && !complaint.contains("hunter2"), "{complaint}");
}

#[test]
fn the_doctor_shows_what_is_set_but_no_secret_and_fails_when_something_does_not_work() {
    let directory = tempfile::tempdir().unwrap();
    let healthy = printed(&run(&["doctor"], directory.path(), &[("TAPEDECK_DATA", "data")]));
    assert!(healthy.contains("TAPEDECK_DATA = data") && healthy.contains("SQLite"), "{healthy}");
    let settings = [
        ("TAPEDECK_DATA", "data"),
        ("GHL_API_KEY", "hunter2"),
        ("GHL_LOCATION_ID", "LOCATION"),
        // Nothing listens there.
        ("GHL_BASE_URL", "http://127.0.0.1:9"),
    ];
    let output = run(&["doctor"], directory.path(), &settings);
    let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!output.status.success(), "{text}");
    assert!(text.contains("GHL_API_KEY is set") && text.contains("FAILED  gohighlevel"), "{text}");
    assert!(!text.contains("hunter2") && !errors.contains("hunter2"), "{text}{errors}");
}

// The command blocks its thread; the sandbox answers from another.
#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_asks_a_vendor_that_workers_leave_alone_and_says_both() {
    let directory = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let ghl = sandbox.base_urls().ghl;
    let doctor = |base: &str| {
        let settings = [
            ("TAPEDECK_DATA", "data"),
            ("GHL_API_KEY", "pit-key"),
            ("GHL_LOCATION_ID", "LOC1"),
            ("GHL_BASE_URL", base),
        ];
        let output = run(&["doctor"], directory.path(), &settings);
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    assert!(doctor(&ghl).0);
    let database = format!("sqlite:{}", directory.path().join("data/tapedeck.db").display());
    let db = Db::open(&database, 1).await.unwrap();
    let clock = Clock::system();
    for _ in 0..OPEN_AFTER {
        Budgets::new(db.clone(), clock.clone()).failed("gohighlevel").await;
    }
    let hour = clock.now() + Duration::from_secs(3600);
    budgets::pause(&db, "gohighlevel", hour).await.unwrap();
    db.close().await;
    let note = format!(
        "gohighlevel: it kept failing, so its circuit is open: workers leave it alone until {}",
        hour.format("%Y-%m-%d %H:%M:%S UTC")
    );
    let (sound, well) = doctor(&ghl);
    assert!(sound && well.contains("ok      gohighlevel") && well.contains(&note), "{well}");
    let (sound, away) = doctor("http://127.0.0.1:9");
    assert!(!sound && away.contains("FAILED  gohighlevel") && away.contains(&note), "{away}");
    assert!(away.contains("cannot be reached: the connection is refused"), "{away}");
}

#[tokio::test]
async fn a_slip_in_the_name_of_a_setting_is_told_at_start_and_by_the_doctor() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join(".env"), "COLOUR_OF_NOTES=hunter2\n").unwrap();
    let settings = [
        ("TAPEDECK_DATA", "data"),
        ("HOST", "127.0.0.1"),
        ("PORT", "0"),
        ("CONSOLE_PORT", "0"),
        ("GHL_LOCATON_ID", "hunter2"),
    ];
    let slip = "there is no setting GHL_LOCATON_ID; did you mean GHL_LOCATION_ID?";
    let doctor = printed(&run(&["doctor"], directory.path(), &settings));
    assert!(doctor.contains(slip) && doctor.contains("no setting COLOUR_OF_NOTES\n"), "{doctor}");
    assert!(!doctor.contains("hunter2"), "{doctor}");
    let mut up = Running::start(tapedeck(&["up"], directory.path(), &settings));
    up.line(slip).await;
}

#[test]
fn the_doctor_fails_where_a_worker_would_not_start() {
    let directory = tempfile::tempdir().unwrap();
    for (name, value, missing) in [
        ("MIRROR", "on", "CLOUDTALK_API_KEY_ID"),
        ("DIAL_NEW_CONTACTS", "on", "CLOUDTALK_API_KEY_ID"),
        ("CAMPAIGN_RULES", "vip=Autumn", "CLOUDTALK_API_KEY_ID"),
        ("REDACT", "faces", "REDACT"),
        ("CONCURRENCY_FETCH", "many", "CONCURRENCY_FETCH"),
    ] {
        let output = run(&["doctor"], directory.path(), &[("TAPEDECK_DATA", "data"), (name, value)]);
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(!output.status.success() && text.contains(&format!("{name} = {value}")), "{text}");
        let said = text.lines().find(|line| line.contains("FAILED  workers")).unwrap_or_default();
        assert!(said.contains(missing), "{name}: {text}");
    }
}

#[test]
fn the_doctor_says_that_links_to_recordings_are_missing() {
    let directory = tempfile::tempdir().unwrap();
    let note = "WEBHOOK_BASE_URL is not set: sinks get no links";
    let settings = [("TAPEDECK_DATA", "data"), ("WEBHOOK_BASE_URL", "https://calls.example.test")];
    assert!(printed(&run(&["doctor"], directory.path(), &settings[..1])).contains(note));
    assert!(!printed(&run(&["doctor"], directory.path(), &settings)).contains(note));
}

#[test]
fn the_doctor_warns_where_no_recording_of_the_generic_provider_can_be_fetched() {
    let directory = tempfile::tempdir().unwrap();
    let warning = "warn    GENERIC_RECORDING_HOSTS is not set";
    let settings = [
        ("TAPEDECK_DATA", "data"),
        ("GENERIC_WEBHOOK_SECRET", "hunter2"),
        ("GENERIC_RECORDING_HOSTS", "media.example.test"),
    ];
    assert!(!printed(&run(&["doctor"], directory.path(), &settings[..1])).contains(warning), "nobody posts there");
    assert!(printed(&run(&["doctor"], directory.path(), &settings[..2])).contains(warning));
    assert!(!printed(&run(&["doctor"], directory.path(), &settings)).contains(warning));
}

#[test]
fn a_command_that_only_reads_leaves_the_broker_alone() {
    let directory = tempfile::tempdir().unwrap();
    let broker = TcpListener::bind("127.0.0.1:0").unwrap();
    broker.set_nonblocking(true).unwrap();
    let url = format!("amqp://guest:guest@{}", broker.local_addr().unwrap());
    let settings = [("TAPEDECK_DATA", "data"), ("AMQP_URL", url.as_str())];
    let nothing = run(&["calls", "list"], directory.path(), &settings);
    assert!(
        !nothing.status.success() && !directory.path().join("data").exists(),
        "it makes no data where there is none"
    );
    printed(&run(&["migrate"], directory.path(), &settings));
    for command in
        [&["calls", "list"][..], &["dead", "list"], &["dead", "show"], &["dead", "replay", "--all", "--dry-run"]]
    {
        printed(&run(command, directory.path(), &settings));
        let connected = broker.accept().is_ok();
        assert!(!connected, "{command:?}");
    }
}

#[test]
fn the_description_of_the_api_is_printed_without_a_server() {
    let directory = tempfile::tempdir().unwrap();
    let printed = printed(&run(&["openapi"], directory.path(), &[("CLOUDTALK_WEBHOOK_SECRET", "hunter2")]));
    let document: serde_json::Value = serde_json::from_str(&printed).unwrap();
    for path in ["/calls", "/conversations/{id}", "/api/cloudtalk-webhooks/call-ended", "/livez"] {
        assert!(document["paths"][path].is_object(), "{path} is missing");
    }
    assert!(document["paths"]["/webhooks/twilio-recording"].is_null(), "Twilio is not set up");
    assert!(!printed.contains("hunter2"));
}
