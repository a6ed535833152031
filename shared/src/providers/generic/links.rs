//! Which URL in a body is the recording: by the name of its field, by what it lies in, by its extension.

use serde_json::Value;
use url::Url;

use super::{
    body::{Body, Leaf},
    names,
};
use crate::sources::loose;

/// Extensions of audio, also of kinds that may turn out not to be understood.
const EXTENSIONS: [&str; 10] = ["wav", "mp3", "m4a", "ogg", "oga", "opus", "flac", "aac", "mp4", "webm"];

/// An http(s) URL that a value holds.
pub(super) fn url(value: &Value) -> Option<String> {
    let text = value.as_str()?;
    let url = Url::parse(text).ok()?;
    (matches!(url.scheme(), "http" | "https") && url.has_host()).then(|| text.to_owned())
}

/// The recording's URL. A telling name outranks a telling place, that an extension; of equals one with an extension, one
/// that holds the call's id, the outermost, the first.
pub(super) fn recording(body: &Body, call_id: Option<&str>) -> Option<String> {
    let candidate = |leaf: &Leaf| {
        let url = url(&leaf.value)?;
        let audio = path_extension(&url).is_some_and(|extension| EXTENSIONS.contains(&extension.as_str()));
        let why = why(leaf).or(audio.then_some(1))?;
        let named = call_id.is_some_and(|id| url.contains(id));
        Some(((why, audio, named, std::cmp::Reverse(leaf.path.len())), url))
    };
    let mut best: Option<(_, String)> = None;
    for (rank, url) in body.leaves().iter().filter_map(candidate) {
        if best.as_ref().is_none_or(|(held, _)| rank > *held) {
            best = Some((rank, url));
        }
    }
    best.map(|(_, url)| url)
}

/// The format that the URL's path ends with, if we know it.
pub(super) fn extension(url: &str) -> Option<String> {
    loose::format(&path_extension(url)?)
}

/// Whether the names that lead to a URL say that it is a recording, and how surely.
fn why(leaf: &Leaf) -> Option<usize> {
    let (last, above) = leaf.path.split_last()?;
    let joined = above.last().map(|above| format!("{above}{last}"));
    let is = |name: &&&str| **name == last || joined.as_deref() == Some(**name);
    if let Some(at) = names::URL.iter().position(|name| is(&name)) {
        return Some(2 + names::URL.len() - at);
    }
    let within = above.iter().any(|above| names::RECORDING.iter().any(|name| above.starts_with(name)));
    let words = ["url", "href", "link", "uri", "file", "src", "wav", "mp3", "download"];
    (within && words.iter().any(|word| last.contains(word))).then_some(2)
}

fn path_extension(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    let (_, extension) = url.path().rsplit_once('.')?;
    Some(extension.to_ascii_lowercase())
}
