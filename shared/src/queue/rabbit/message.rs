//! What goes over the wire: a body that may grow fields, and headers.

use lapin::{
    BasicProperties,
    types::{AMQPValue, FieldTable, LongString},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    domain::JobId,
    queue::{DeadLetter, Wakeup},
};

/// Why a job failed for good. Being there marks a message as one that was dead.
const REASON: &str = "tapedeck-reason";
const ERROR: &str = "tapedeck-error";
const ATTEMPTS: &str = "tapedeck-attempts";
const QUEUE: &str = "tapedeck-queue";
const TRACEPARENT: &str = "traceparent";
/// All headers of a message have to fit one frame.
const LONGEST_ERROR: usize = 1024;
/// Survives a restart of the broker, whatever the type of queue.
const PERSISTENT: u8 = 2;

/// A message on its way out.
#[derive(Clone)]
pub(super) struct Message {
    pub properties: BasicProperties,
    pub body: Vec<u8>,
}

/// What was read from a message; each part may be missing, as anybody may publish.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Read {
    pub job: Option<JobId>,
    pub more: Vec<JobId>,
    pub was_dead: bool,
    pub traceparent: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Body {
    job: Uuid,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    more: Vec<Uuid>,
}

/// The message of a wake-up.
pub(super) fn wakeup(wakeup: &Wakeup) -> Message {
    message(wakeup.job, &wakeup.more, traced(wakeup.traceparent.as_deref()))
}

/// The message of a wake-up that was read and goes round again, without what the broker noted on it.
pub(super) fn again(job: JobId, read: &Read) -> Message {
    let mut headers = traced(read.traceparent.as_deref());
    if read.was_dead {
        headers.insert(REASON.into(), text("replayed"));
    }
    message(job, &read.more, headers)
}

/// The message of a dead letter.
pub(super) fn letter(letter: &DeadLetter) -> Message {
    let mut headers = FieldTable::default();
    let error = &letter.error[..letter.error.floor_char_boundary(LONGEST_ERROR)];
    headers.insert(REASON.into(), text(&letter.reason));
    headers.insert(ERROR.into(), text(error));
    headers.insert(ATTEMPTS.into(), AMQPValue::LongInt(letter.attempts));
    headers.insert(QUEUE.into(), text(letter.queue.as_str()));
    message(letter.job, &[], headers)
}

/// Reads any message.
pub(super) fn read(properties: &BasicProperties, body: &[u8]) -> Read {
    let headers = properties.headers().as_ref().map(FieldTable::inner);
    let of_the_dead = |name: &str| name == REASON || name == "x-death" || name.starts_with("x-first-death-");
    let traceparent = headers.and_then(|headers| headers.get(TRACEPARENT)).and_then(|value| match value {
        AMQPValue::LongString(text) => Some(String::from_utf8_lossy(text.as_bytes()).into_owned()),
        AMQPValue::ShortString(text) => Some(text.to_string()),
        _ => None,
    });
    let body = serde_json::from_slice::<Body>(body).ok();
    Read {
        job: body.as_ref().map(|body| JobId(body.job)),
        more: body.map(|body| body.more.into_iter().map(JobId).collect()).unwrap_or_default(),
        was_dead: headers.is_some_and(|headers| headers.keys().any(|name| of_the_dead(name.as_str()))),
        traceparent,
    }
}

fn message(job: JobId, more: &[JobId], headers: FieldTable) -> Message {
    let body = Body { job: job.0, more: more.iter().map(|job| job.0).collect() };
    let properties = BasicProperties::default()
        .with_delivery_mode(PERSISTENT)
        .with_content_type("application/json".into())
        .with_app_id("tapedeck".into())
        .with_message_id(job.to_string().into())
        .with_headers(headers);
    Message { properties, body: serde_json::to_vec(&body).expect("identifiers are JSON") }
}

fn traced(traceparent: Option<&str>) -> FieldTable {
    let mut headers = FieldTable::default();
    if let Some(traceparent) = traceparent {
        headers.insert(TRACEPARENT.into(), text(traceparent));
    }
    headers
}

fn text(text: &str) -> AMQPValue {
    AMQPValue::LongString(LongString::from(text))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests may panic")]

    use super::*;
    use crate::domain::QueueName;

    fn sample() -> Wakeup {
        let traceparent = Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned());
        Wakeup { more: vec![JobId::new()], ..Wakeup::new(JobId::new(), QueueName::new("fetch"), traceparent) }
    }

    #[test]
    fn a_wakeup_is_read_as_it_was_written() {
        let sent = sample();
        let Message { properties, body } = wakeup(&sent);
        let expected = Read { job: Some(sent.job), more: sent.more, was_dead: false, traceparent: sent.traceparent };
        assert_eq!(read(&properties, &body), expected);
        assert_eq!(properties.message_id().as_ref().unwrap().as_str(), sent.job.to_string());
    }

    #[test]
    fn fields_of_a_later_version_are_ignored() {
        let job = JobId::new();
        let body = format!(r#"{{"version":2,"job":"{job}","hint":{{"a":[1]}}}}"#);
        assert_eq!(read(&BasicProperties::default(), body.as_bytes()).job, Some(job));
    }

    #[test]
    fn a_foreign_body_is_no_job() {
        for body in ["", "hello", "{}", r#"{"job":7}"#, r#"{"job":"7"}"#, "null"] {
            assert_eq!(read(&BasicProperties::default(), body.as_bytes()), Read::default(), "{body}");
        }
    }

    #[test]
    fn what_was_dead_stays_marked_when_it_goes_round_again() {
        let job = JobId::new();
        for header in [REASON, "x-death", "x-first-death-queue"] {
            let mut headers = FieldTable::default();
            headers.insert(header.into(), text("fetch"));
            let was = read(&BasicProperties::default().with_headers(headers), b"");
            assert!(was.was_dead, "{header}");
            let sent_again = again(job, &was);
            assert!(read(&sent_again.properties, &sent_again.body).was_dead, "{header}");
        }
    }

    #[test]
    fn a_long_error_is_cut_between_characters() {
        let long = DeadLetter {
            job: JobId::new(),
            queue: QueueName::new("fetch"),
            reason: "gone".into(),
            error: "é".repeat(2000) + "x",
            attempts: 3,
        };
        let cut = letter(&DeadLetter { error: format!("x{}", long.error), ..long });
        let headers = cut.properties.headers().clone().unwrap();
        let Some(AMQPValue::LongString(error)) = headers.inner().get(ERROR) else { panic!("no error header") };
        assert_eq!(error.as_bytes().len(), 1023);
        assert!(std::str::from_utf8(error.as_bytes()).is_ok());
    }
}
