//! `POST chat/completions`: reads the transcript out of the messages and answers in the schema that is asked for.

use axum::{
    Json,
    body::Bytes,
    extract::State,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::{feedback::Feedback, invalid, schema};
use crate::world::Shared;

pub(super) async fn complete(State(world): State<Shared>, body: Bytes) -> Response {
    let Ok(request) = serde_json::from_slice::<Value>(&body) else {
        return invalid("We could not parse the JSON body of your request.", None, None);
    };
    let Some(model) = request["model"].as_str().filter(|model| !model.is_empty()) else {
        return invalid("you must provide a model parameter", Some("model"), None);
    };
    let Some(messages) = request["messages"].as_array().filter(|messages| !messages.is_empty()) else {
        return invalid(
            "Missing required parameter: 'messages'.",
            Some("messages"),
            Some("missing_required_parameter"),
        );
    };
    if request["stream"] == true {
        return invalid("The sandbox does not stream.", Some("stream"), Some("unsupported_value"));
    }
    let prompt = messages.iter().map(text_of).collect::<Vec<_>>().join("\n");
    let feedback = match order_in(messages) {
        Some(order) => Feedback::obeying(&order),
        None => Feedback::of(transcript_in(&prompt)),
    };
    let content = match content(&request["response_format"], &feedback) {
        Ok(content) => content,
        Err(refused) => return refused,
    };
    // Four letters per token is the usual rule of thumb.
    let (asked, answered) = (prompt.len().div_ceil(4), content.len().div_ceil(4));
    let answer = json!({
        "id": format!("chatcmpl-{:032x}", rand::random::<u128>()),
        "object": "chat.completion",
        "created": chrono::Utc::now().timestamp(),
        "model": model,
        "choices": [{
            "index": 0,
            "message": {"role": "assistant", "content": content, "refusal": null},
            "finish_reason": "stop",
        }],
        "usage": {"prompt_tokens": asked, "completion_tokens": answered, "total_tokens": asked + answered},
    });
    world.openai.chatted(request);
    Json(answer).into_response()
}

#[expect(clippy::result_large_err, reason = "the error is the answer and goes out at once")]
fn content(format: &Value, feedback: &Feedback) -> Result<String, Response> {
    match format["type"].as_str() {
        None | Some("text") => Ok(feedback.summary.clone()),
        Some("json_object") => Ok(schema::everything(feedback).to_string()),
        Some("json_schema") => {
            let asked = &format["json_schema"]["schema"];
            if asked["type"] != "object" {
                let message = "Invalid schema for response_format: schema must be a JSON Schema of 'type: \"object\"'.";
                return Err(invalid(message, Some("response_format"), None));
            }
            Ok(schema::filled(asked, feedback).to_string())
        }
        Some(other) => Err(invalid(&format!("Invalid value: '{other}'."), Some("response_format.type"), None)),
    }
}

/// The content of a message, whether it is a text or a list of parts.
fn text_of(message: &Value) -> String {
    match &message["content"] {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join("\n"),
        _ => String::new(),
    }
}

/// What a gullible model takes for its orders: a call to ignore what it was told, anywhere but in the data. The data is a
/// message that begins with the tag, up to the first place that closes it.
fn order_in(messages: &[Value]) -> Option<String> {
    messages.iter().find_map(|message| {
        let text = text_of(message);
        let outside = match text.strip_prefix("<transcript>") {
            Some(data) => data.split_once("</transcript>")?.1,
            None => &text,
        };
        let at = outside.to_ascii_lowercase().find("ignore previous instructions")?;
        Some(outside[at..].to_owned())
    })
}

/// What stands between the last pair of tags, so that an instruction that mentions them is no transcript.
fn transcript_in(prompt: &str) -> &str {
    let inside = prompt.rfind("</transcript>").and_then(|end| {
        let start = prompt[..end].rfind("<transcript>")? + "<transcript>".len();
        Some(&prompt[start..end])
    });
    inside.unwrap_or_default()
}
