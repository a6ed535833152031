//! Replies of a model as they should not be: everything served as usual, then bent.

use axum::{
    body::{Body, to_bytes},
    http::header,
    response::Response,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// How a reply is bent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bent {
    /// The model declines.
    Refused,
    /// The server's filter withholds it.
    Filtered,
    /// It ends in the middle, at the limit of tokens.
    CutOff,
    /// It stands in a code fence, with words around it.
    Fenced,
    /// Prose, without any JSON.
    Prose,
    /// JSON that ends in the middle, though the model says that it is complete.
    BrokenJson,
    /// JSON of another form than was asked for.
    OffSchema,
}

/// The answer with its reply bent; what is no chat completion stays as it is.
pub(crate) async fn bent(how: Bent, answer: Response) -> Response {
    let (mut head, body) = answer.into_parts();
    let Ok(body) = to_bytes(body, usize::MAX).await else { return Response::from_parts(head, Body::empty()) };
    let Ok(mut answer) = serde_json::from_slice::<Value>(&body) else { return Response::from_parts(head, body.into()) };
    let Some(choice) = answer.pointer_mut("/choices/0").filter(|choice| choice["message"]["content"].is_string())
    else {
        return Response::from_parts(head, body.into());
    };
    let said = choice["message"]["content"].as_str().unwrap_or_default().to_owned();
    let half = &said[..said.floor_char_boundary(said.len() / 2)];
    let (content, refusal, finish) = match how {
        Bent::Refused => (Value::Null, json!("I'm sorry, I can't help with that."), "stop"),
        Bent::Filtered => (Value::Null, Value::Null, "content_filter"),
        Bent::CutOff => (half.into(), Value::Null, "length"),
        Bent::Fenced => (format!("Here it is:\n```json\n{said}\n```\nAnything else?").into(), Value::Null, "stop"),
        Bent::Prose => ("They talked, and then they said goodbye.".into(), Value::Null, "stop"),
        Bent::BrokenJson => (half.into(), Value::Null, "stop"),
        Bent::OffSchema => (json!({"verdict": "fine", "sentiment": "mixed"}).to_string().into(), Value::Null, "stop"),
    };
    choice["message"]["content"] = content;
    choice["message"]["refusal"] = refusal;
    choice["finish_reason"] = finish.into();
    head.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(head, answer.to_string().into())
}
