//! What each command says when it is alone.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

use crate::program::{complaint, printed, run};

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
