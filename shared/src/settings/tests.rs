use std::collections::BTreeSet;

use super::*;

fn listed() -> BTreeSet<&'static str> {
    let lines = include_str!("../../../.env.example").lines();
    lines
        .filter_map(|line| Some(line.trim_start_matches('#').split_once('=')?.0))
        .filter(|name| name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_'))
        .collect()
}

#[test]
fn every_setting_is_shown_once_or_left_out_on_purpose() {
    let known: Vec<_> = [PUBLIC, SECRET, NOT_SHOWN].concat();
    let families = of_families();
    let listed: BTreeSet<_> = listed().into_iter().filter(|name| !families.iter().any(|known| known == name)).collect();
    assert!(listed.len() > 100, "{listed:?}");
    assert_eq!(known.iter().copied().collect::<BTreeSet<_>>(), listed);
    assert_eq!(known.len(), listed.len(), "one of them is in two lists");
}

#[test]
fn no_secret_is_shown() {
    let tells = ["_SECRET", "_TOKEN", "_KEY", "PASSWORD", "_AUTHORIZATION", "_COMMAND", "_SIGNING_KEY"];
    let secret = |name: &&&str| tells.iter().any(|end| name.ends_with(end)) && **name != "TELNYX_PUBLIC_KEY";
    assert_eq!(PUBLIC.iter().find(secret), None);
    let env = Env::from_pairs(SECRET.iter().map(|name| (*name, "hunter2")));
    let lines = lines(&env);
    assert_eq!(lines.len(), SECRET.len());
    assert!(!lines.concat().contains("hunter2"));
}

#[test]
fn what_is_set_is_shown_whatever_provider_or_step_it_is_for() {
    let env = Env::from_pairs([("CHANNELS_SIGNALWIRE", "agent,caller"), ("REDACT", "card"), ("MIRROR", "")]);
    assert_eq!(lines(&env), ["REDACT = card", "CHANNELS_SIGNALWIRE = agent,caller"]);
}

#[test]
fn all_that_is_listed_is_known() {
    let env = Env::from_pairs(listed().into_iter().map(|name| (name, "x")));
    assert_eq!(unknown(&env), []);
}

#[test]
fn what_compose_is_told_beside_is_known() {
    let files = [
        include_str!("../../../deploy/compose/sandbox.env"),
        include_str!("../../../deploy/compose/local.env"),
        include_str!("../../../docker-compose.yml"),
    ];
    let words =
        files.iter().flat_map(|file| file.split(|c: char| !c.is_ascii_uppercase() && !c.is_ascii_digit() && c != '_'));
    let names: BTreeSet<_> =
        words.filter(|word| OURS.iter().any(|prefix| word.starts_with(prefix) && word != prefix)).collect();
    assert!(names.len() > 20, "{names:?}");
    assert_eq!(unknown(&Env::from_pairs(names.iter().map(|name| (*name, "x")))), []);
}

#[test]
fn a_slip_in_a_name_is_noticed_and_the_nearest_is_named() {
    let said = |name: &str| unknown(&Env::from_pairs([(name, "hunter2")])).first().map(ToString::to_string);
    for (slip, meant) in [
        ("GHL_LOCATON_ID", "GHL_LOCATION_ID"),
        ("CLOUDTALK_WEBHOOK_SECRETS", "CLOUDTALK_WEBHOOK_SECRET"),
        ("CONCURRENCY_FECTH", "CONCURRENCY_FETCH"),
        ("CHANNELS_CLOUDTLAK", "CHANNELS_CLOUDTALK"),
        ("MIRROR_", "MIRROR"),
        ("DATABSE_URL", "DATABASE_URL"),
        ("TRANSCRIBE_LANG", "TRANSCRIBE_LANGUAGE"),
    ] {
        assert_eq!(said(slip), Some(format!("there is no setting {slip}; did you mean {meant}?")));
    }
    assert_eq!(said("CALLMIND_COLOUR_OF_THE_SKY").as_deref(), Some("there is no setting CALLMIND_COLOUR_OF_THE_SKY"));
}

#[test]
fn what_belongs_to_others_is_left_alone() {
    let others = [
        ("PATH", "/bin"),
        ("HOSTNAME", "here"),
        ("OPENAI_ORG_ID", "org"),
        ("AWS_PROFILE", "me"),
        ("TAPEDECK_INGEST_SERVICE_HOST", "10.0.0.1"),
        ("TAPEDECK_INGEST_PORT", "tcp://10.0.0.1:3000"),
        ("TAPEDECK_INGEST_PORT_3000_TCP_ADDR", "10.0.0.1"),
    ];
    assert_eq!(unknown(&Env::from_pairs(others)), []);
}
