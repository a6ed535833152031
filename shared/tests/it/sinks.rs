//! Every sink in the registry is in the suite of what all sinks must do.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

#[test]
fn every_sink_is_in_the_conformance_suite() {
    let registry = include_str!("../../src/sinks/mod.rs");
    let lines = registry.lines().filter(|line| line.contains("::from_env(env, outside)"));
    let names: Vec<&str> = lines.map(|line| line.trim().split("::").next().unwrap()).collect();
    assert!(names.contains(&"gohighlevel"), "the registry reads otherwise now: {names:?}");
    for name in names {
        let tests = format!("{}/tests/it/{name}.rs", env!("CARGO_MANIFEST_DIR"));
        let tests = std::fs::read_to_string(tests).unwrap_or_default();
        assert!(tests.contains("sink_conformance!("), "{name} has no sink_conformance! in shared/tests/it/{name}.rs");
    }
}
