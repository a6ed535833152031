//! Every sink in the registry is in the suite of what all sinks must do.

use shared::sinks::Sinks;

#[test]
fn every_sink_is_in_the_conformance_suite() {
    for name in Sinks::names() {
        let tests = format!("{}/tests/it/{name}.rs", env!("CARGO_MANIFEST_DIR"));
        let tests = std::fs::read_to_string(tests).unwrap_or_default();
        assert!(tests.contains("sink_conformance!("), "{name} has no sink_conformance! in shared/tests/it/{name}.rs");
    }
}
