//! Text that belongs on one line.

/// The text without line breaks: its words, a blank between each two. What others call a person, a campaign or a topic must not
/// begin a line of its own in a note, whose lines have meanings.
pub fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
