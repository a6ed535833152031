//! Values as people and half-known systems write them: numbers as text, durations in four ways, times in three.

use chrono::{DateTime, Datelike, NaiveDateTime, TimeZone, Utc};
use serde_json::Value;

use crate::domain::{CallStatus, Direction, EventKind};

/// What workflow editors insert for an attribute that is not there, or is an object (facts: telephony §1.2).
const ABSENT: [&str; 4] = ["", "undefined", "null", "[object Object]"];
/// Longest duration that is believed, in seconds.
const WEEK: f64 = 7.0 * 86_400.0;
const FORMATS: [&str; 2] = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f"];

/// A name of a field without case, blanks and punctuation.
pub(crate) fn normal(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The value, if it says anything: text is trimmed, and what stands for nothing is nothing.
pub(crate) fn present(value: &Value) -> Option<Value> {
    match value {
        Value::Bool(_) | Value::Number(_) => Some(value.clone()),
        Value::String(text) => {
            let text = shown(text);
            (!ABSENT.contains(&text.as_str())).then_some(Value::String(text))
        }
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Text without what a terminal or a page would obey rather than show: control characters but for line breaks and tabs, of
/// which PostgreSQL does not even keep NUL, and marks that turn the direction of writing.
pub(crate) fn shown(text: &str) -> String {
    let obeyed = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().filter(|c| !obeyed(*c) && !turns(*c)).collect::<String>().trim().to_owned()
}

/// Text, or a number as text; not one that was rounded when it was read.
pub(crate) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) if is_rounded(value) => None,
        Value::Number(number) => Some(match number.as_f64().filter(|_| number.is_f64()) {
            Some(float) if float.fract() == 0.0 => format!("{float:.0}"),
            _ => number.to_string(),
        }),
        _ => None,
    }
}

/// Whether the value is a whole number beyond 64 bits, or written as a fraction, of which not every digit was kept.
pub(crate) fn is_rounded(value: &Value) -> bool {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let whole = value.as_f64().filter(|_| value.is_f64());
    whole.is_some_and(|float| float.fract() == 0.0 && float.abs() >= EXACT)
}

/// What the sender of such an id is told.
pub(crate) const ROUNDED: &str = "a number that is too large to be kept to its last digit: send it as text";

/// A switch. Text that is neither yes nor no (a URL, a file name) says that the thing is there.
pub(crate) fn flag(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::Number(number) => Some(number.as_f64() != Some(0.0)),
        Value::String(text) => {
            Some(!matches!(text.to_ascii_lowercase().as_str(), "false" | "no" | "off" | "0" | "none" | "n"))
        }
        _ => None,
    }
}

/// Whether the text is fit for a key: short, and safe in a path.
pub fn is_key(text: &str) -> bool {
    let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    (1..=64).contains(&text.len()) && text.chars().all(safe) && text.chars().any(|c| c != '0')
}

/// Seconds: `120`, `120s`, `2:00`, `0:02:00`.
pub(crate) fn seconds(text: &str) -> Option<f64> {
    let number = text.trim_end_matches(|c: char| c.is_alphabetic() || c == '.').trim_end();
    let unit = text[number.len()..].trim();
    if !matches!(unit, "" | "s" | "sec" | "sec." | "secs" | "second" | "seconds") {
        return None;
    }
    let mut total = 0.0;
    for part in number.split(':') {
        let part: f64 = part.trim().parse().ok().filter(|part: &f64| *part >= 0.0)?;
        total = total * 60.0 + part;
    }
    (total < WEEK).then_some(total)
}

/// A moment of the years 2000 to 2100, also as seconds or milliseconds since 1970; one without a time zone is of `zone`.
pub(crate) fn moment(text: &str, zone: &impl TimeZone) -> Option<DateTime<Utc>> {
    any_moment(text, zone).filter(is_plausible)
}

/// Whether it is of the years 2000 to 2100. Others are mistakes, and the database could not hold all of them.
pub(crate) fn is_plausible(at: &DateTime<Utc>) -> bool {
    (2000..=2100).contains(&at.year())
}

fn any_moment(text: &str, zone: &impl TimeZone) -> Option<DateTime<Utc>> {
    if let Ok(at) = DateTime::parse_from_rfc3339(text).or_else(|_| DateTime::parse_from_rfc2822(text)) {
        return Some(at.to_utc());
    }
    if let Ok(number) = text.parse::<i64>() {
        let at =
            if number > 100_000_000_000 { DateTime::from_timestamp_millis } else { |s| DateTime::from_timestamp(s, 0) };
        return at(number).filter(|_| number > 1_000_000_000);
    }
    let local = FORMATS.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())?;
    zone.from_local_datetime(&local).earliest().map(|at| at.to_utc())
}

/// A word without case, blanks and punctuation.
pub(crate) fn plain(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// How far a call has come, in whatever word.
pub(crate) fn status(text: &str) -> Option<CallStatus> {
    match plain(text).as_str() {
        "answered" | "completed" | "complete" | "ended" | "finished" | "success" | "voicemail" => {
            Some(CallStatus::Completed)
        }
        "missed" | "noanswer" | "unanswered" | "notanswered" | "busy" | "canceled" | "cancelled" | "abandoned"
        | "rejected" | "declined" => Some(CallStatus::Missed),
        "failed" | "error" => Some(CallStatus::Failed),
        "ringing" | "started" | "inprogress" | "ongoing" | "active" | "initiated" | "queued" => {
            Some(CallStatus::InProgress)
        }
        _ => None,
    }
}

/// Who called whom, in whatever word.
pub(crate) fn direction(text: &str) -> Option<Direction> {
    match plain(text).as_str() {
        "incoming" | "inbound" | "in" => Some(Direction::Inbound),
        "outgoing" | "outbound" | "out" => Some(Direction::Outbound),
        _ => None,
    }
}

/// The format of a recording that we know: of a media type, an extension or a name.
pub(crate) fn format(text: &str) -> Option<String> {
    let text = text.trim_start_matches("audio/").trim_start_matches(['.', 'x', '-']).to_ascii_lowercase();
    matches!(text.as_str(), "wav" | "mp3" | "ogg" | "flac" | "m4a").then_some(text)
}

/// How far the call has come, given what the event is and what it says of that.
pub(crate) fn concluded(
    kind: &EventKind,
    said: Option<CallStatus>,
    duration: Option<f64>,
    recorded: Option<bool>,
) -> Option<CallStatus> {
    match kind {
        EventKind::CallStarted => Some(CallStatus::InProgress),
        EventKind::CallEnded | EventKind::RecordingAvailable => {
            let silent = duration == Some(0.0) && recorded != Some(true);
            let otherwise = if silent { CallStatus::Missed } else { CallStatus::Completed };
            Some(said.filter(|status| *status != CallStatus::InProgress).unwrap_or(otherwise))
        }
        _ => None,
    }
}
