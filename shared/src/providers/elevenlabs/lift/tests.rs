#![expect(clippy::unwrap_used, reason = "tests may panic")]

use base64::prelude::BASE64_STANDARD;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// What remains, what was lifted, and whether it is whole, when the text comes in pieces of these sizes.
fn lifted(text: &[u8], pieces: &[usize]) -> (Vec<u8>, Vec<u8>, bool) {
    let (mut lift, mut rest, mut audio) = (Lift::default(), Vec::new(), Vec::new());
    let (mut left, mut sizes) = (text, pieces.iter().cycle());
    while !left.is_empty() {
        let size = sizes.next().copied().unwrap_or(left.len()).clamp(1, left.len());
        let (piece, more) = left.split_at(size);
        lift.take(piece, &mut rest, &mut audio);
        left = more;
    }
    (rest, audio, lift.is_whole())
}

fn whole(text: &str) -> (String, Vec<u8>, bool) {
    let (rest, audio, is_whole) = lifted(text.as_bytes(), &[]);
    (String::from_utf8(rest).unwrap(), audio, is_whole)
}

#[test]
fn the_audio_is_found_wherever_its_keys_stand() {
    for text in [
        r#"{"type":"post_call_audio","data":{"agent_id":"a","full_audio":"SUQz"}}"#,
        r#"{"data":{"full_audio":"SUQz","agent_id":"a"},"type":"post_call_audio"}"#,
        "\n{ \"data\" :\t{ \"x\" : [ { \"full_audio\" : \"no\" } ] , \"full_audio\" : \"SUQz\" } }",
        r#"{"a":{"data":{"full_audio":"no"}},"full_audio":"no","data":{"b":{"full_audio":"no"},"full_audio":"SUQz"}}"#,
        r#"{"dat\u0061":{"full\u005faudio":"SUQz"}}"#,
        r#"{"x":"\"data\":{\"full_audio\":\"no","data":{"full_audio":"SUQz"}}"#,
        r#"{"data":[{"full_audio":"no"}],"y":"data","data":{"z":"full_audio","full_audio":"SUQz"}}"#,
    ] {
        assert_eq!(whole(text), (text.replace("SUQz", ""), b"ID3".to_vec(), true), "{text}");
    }
}

#[test]
fn what_is_not_there_is_not_found_and_nothing_is_changed() {
    for text in [
        "",
        "nonsense",
        "{}",
        "}}}{{{",
        r#"["data",{"full_audio":"SUQz"}]"#,
        r#"{"full_audio":"SUQz"}"#,
        r#"{"data":{"full_audio":null}}"#,
        r#"{"data":{"full_audio":["SUQz"],"full_audio":{"full_audio":"SUQz"}}}"#,
        r#"{"data":{"metadata":{"full_audio":"SUQz"}}}"#,
        r#"{"data":"full_audio","x":{"full_audio":"SUQz"}}"#,
        r#"[{"data":{"full_audio":"SUQz"}}]"#,
    ] {
        assert_eq!(whole(text), (text.to_owned(), Vec::new(), false), "{text}");
    }
}

#[test]
fn base64_is_read_with_escapes_blanks_and_without_padding() {
    for (text, bytes) in [
        (r"\/\/79", &[0xff, 0xfe, 0xfd][..]),
        (r"\u002F\u002f79", &[0xff, 0xfe, 0xfd]),
        (r"SU\nQz\r\n", b"ID3"),
        ("SU Qz ", b"ID3"),
        ("SUQzBA==", b"ID3\x04"),
        ("SUQzBA", b"ID3\x04"),
        ("", b""),
    ] {
        let (_, audio, is_whole) = whole(&format!(r#"{{"data":{{"full_audio":"{text}"}}}}"#));
        assert_eq!((audio.as_slice(), is_whole), (bytes, true), "{text}");
    }
    for text in ["SUQ!", "SUQzB", "SUQ=SUQz", "SUQzBA==SUQz", r"SU\bQz", r"SU\u12345Qz", r"SU\uZZZZQz", "Sü"] {
        assert!(!whole(&format!(r#"{{"data":{{"full_audio":"{text}"}}}}"#)).2, "{text}");
    }
}

#[test]
fn a_text_that_breaks_off_or_comes_twice_is_not_whole() {
    assert!(!whole(r#"{"data":{"full_audio":"SUQzBA=="#).2);
    let (rest, _, is_whole) = whole(r#"{"data":{"full_audio":"SUQz","full_audio":"SUQz"}}"#);
    assert_eq!((rest.as_str(), is_whole), (r#"{"data":{"full_audio":"","full_audio":""}}"#, false));
}

fn any_json() -> impl Strategy<Value = Value> {
    let name = prop_oneof![Just("data".to_owned()), Just("full_audio".to_owned()), ".{0,6}"];
    let leaf = prop_oneof![Just(Value::Null), any::<i64>().prop_map(Value::from), name.clone().prop_map(Value::from)];
    leaf.prop_recursive(4, 32, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(name.clone(), inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn sizes() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(prop_oneof![1_usize..4, 1_usize..200], 1..8)
}

proptest! {
    /// However the body is cut into pieces, the recording comes out byte for byte, and so does all the rest.
    #[test]
    fn any_pieces_give_the_same_bytes(
        bytes in prop::collection::vec(any::<u8>(), 1..600), before in any_json(), after in any_json(),
        pieces in sizes(), pretty: bool,
    ) {
        let mut body = json!({"a": before, "data": {"a": after, "full_audio": BASE64_STANDARD.encode(&bytes), "z": 1}, "z": before});
        let text = if pretty { serde_json::to_vec_pretty(&body) } else { serde_json::to_vec(&body) }.unwrap();
        let (rest, audio, is_whole) = lifted(&text, &pieces);
        prop_assert!(is_whole);
        prop_assert_eq!(audio, bytes);
        body["data"]["full_audio"] = "".into();
        prop_assert_eq!(serde_json::from_slice::<Value>(&rest).unwrap(), body);
    }

    /// A serde parser and the lift agree on where the text is, for any object.
    #[test]
    fn it_finds_what_a_parser_finds(body in any_json(), pieces in sizes()) {
        let text = serde_json::to_vec(&body).unwrap();
        let (rest, ..) = lifted(&text, &pieces);
        let mut expected = body;
        if let Some(found) = expected.pointer_mut("/data/full_audio").filter(|found| found.is_string()) {
            *found = "".into();
        }
        prop_assert_eq!(serde_json::from_slice::<Value>(&rest).unwrap(), expected);
    }

    #[test]
    fn nothing_that_is_sent_is_lost_or_panics(text in prop::collection::vec(any::<u8>(), 0..300), pieces in sizes()) {
        let (rest, audio, _) = lifted(&text, &pieces);
        prop_assert!(rest.len() + audio.len() <= text.len());
        prop_assert_eq!(lifted(&text, &[1]).0, rest);
    }
}
