//! Feedback on a transcript without a model: built from its own words by simple rules, the same every time.

/// What is said about a call. Quotes and items are verbatim parts of the transcript.
pub(super) struct Feedback {
    pub(super) summary: String,
    pub(super) sentiment: &'static str,
    pub(super) topics: Vec<String>,
    /// What is to be done, and by whom: `agent`, `customer` or `unknown`.
    pub(super) actions: Vec<(String, &'static str)>,
    pub(super) objections: Vec<String>,
    pub(super) questions: Vec<String>,
    pub(super) outcome: Option<String>,
    pub(super) next_step: Option<String>,
    pub(super) coaching: Vec<Coaching>,
    pub(super) collected: Vec<(String, String)>,
    /// It does as somebody told it: every score is the best there is.
    pub(super) obeys: bool,
}

/// One remark with the words it is about.
pub(super) struct Coaching {
    pub(super) strength: Option<String>,
    pub(super) improvement: Option<String>,
    pub(super) quote: String,
}

#[derive(Clone, Copy, PartialEq)]
enum Who {
    Agent,
    Caller,
    /// A recording with both voices in one channel does not say.
    Unknown,
}

/// A sentence and who said it.
struct Line<'a> {
    who: Who,
    text: &'a str,
}

impl Line<'_> {
    fn may_be(&self, who: Who) -> bool {
        self.who == who || self.who == Who::Unknown
    }

    fn holds(&self, marks: &[&str]) -> bool {
        let text = self.text.to_lowercase();
        marks.iter().any(|mark| text.contains(mark))
    }

    /// Of what is promised in it.
    fn owner(&self) -> &'static str {
        match self.who {
            Who::Agent => "agent",
            Who::Caller => "customer",
            Who::Unknown => "unknown",
        }
    }
}

const TOPICS: [(&str, &[&str]); 8] = [
    ("billing", &["invoice", "charged", "charge", "refund", "bill", "billing", "payment"]),
    ("pricing", &["price", "expensive", "cost", "costs", "discount", "budget", "euros"]),
    ("offer", &["offer", "plan", "upgrade", "renewal", "contract", "demo"]),
    ("technical support", &["router", "connection", "restart", "error", "reset", "broken", "login"]),
    ("appointment", &["appointment", "reschedule", "book", "booking"]),
    ("delivery", &["delivery", "shipping", "parcel", "order"]),
    ("cancellation", &["cancel", "cancellation", "terminate"]),
    ("complaint", &["complaint", "upset", "unacceptable", "angry"]),
];
const GLAD: [&str; 11] =
    ["thank", "thanks", "perfect", "great", "wonderful", "solves", "solved", "excellent", "happy", "works", "glad"];
const SORRY: [&str; 9] =
    ["upset", "frustrating", "angry", "terrible", "problem", "wrong", "disappointed", "expensive", "unacceptable"];
const PROMISES: [&str; 7] = ["i will", "i'll", "we will", "we'll", "let me", "please arrive", "i am going to"];
const DOUBTS: [&str; 8] = [
    "expensive",
    "think about it",
    "not sure",
    "not interested",
    "only have a minute",
    "already have",
    "too much",
    "difficult",
];

impl Feedback {
    /// Of lines such as `[00:12] Agent: …` and `Caller: …`.
    pub(super) fn of(transcript: &str) -> Self {
        let lines = read(transcript);
        let by = |who: Who| lines.iter().filter(move |line| line.may_be(who));
        let promises = by(Who::Agent).filter(|line| line.holds(&PROMISES));
        let pledges = lines.iter().filter(|line| line.who == Who::Caller && line.holds(&["i will", "i'll", "we will"]));
        let actions: Vec<_> = promises.chain(pledges).map(|line| (line.text.to_owned(), line.owner())).collect();
        let topics = topics(&lines);
        let next_step = actions.iter().rev().find(|(_, owner)| *owner != "customer").map(|(text, _)| text.clone());
        let text = |line: &Line<'_>| line.text.to_owned();
        Self {
            summary: summary(&lines, &topics, next_step.as_deref()),
            sentiment: sentiment(&lines),
            objections: by(Who::Caller).filter(|line| line.holds(&DOUBTS)).map(text).collect(),
            questions: by(Who::Agent).filter(|line| line.text.ends_with('?')).map(text).collect(),
            outcome: outcome(&lines),
            coaching: coaching(&lines),
            collected: collected(&lines),
            topics,
            actions,
            next_step,
            obeys: false,
        }
    }

    /// Of a model that was told by somebody what to say.
    pub(super) fn obeying(order: &str) -> Self {
        let summary = format!("(simulated) As I was told: {order}");
        Self { summary, sentiment: "positive", obeys: true, ..Self::of("") }
    }
}

/// Sentence by sentence. A line without a known speaker goes on with the one before; notes on a call are not its words.
fn read(transcript: &str) -> Vec<Line<'_>> {
    let mut lines = Vec::new();
    let mut who = Who::Unknown;
    for line in transcript.lines().filter(|line| !line.starts_with("Notes: ")) {
        let mut text = line.trim();
        if let Some((_, rest)) = text.strip_prefix('[').and_then(|text| text.split_once(']')) {
            text = rest.trim_start();
        }
        if let Some((speaker, rest)) = text.split_once(':') {
            match speaker.trim().to_lowercase().as_str() {
                "agent" => (who, text) = (Who::Agent, rest.trim()),
                "caller" | "customer" | "contact" => (who, text) = (Who::Caller, rest.trim()),
                _ => {}
            }
        }
        lines.extend(sentences(text).map(|text| Line { who, text }));
    }
    lines
}

/// Cuts behind `.`, `?` or `!` before a space, so that addresses and numbers stay whole.
fn sentences(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        rest = rest.trim_start();
        let end = rest.match_indices(['.', '?', '!']).map(|(at, _)| at + 1).find(|end| rest[*end..].starts_with(' '));
        let (sentence, left) = rest.split_at(end.unwrap_or(rest.len()));
        rest = left;
        (!sentence.is_empty()).then_some(sentence)
    })
}

/// Words in lower case, without what stands around them.
fn words(text: &str) -> impl Iterator<Item = String> {
    text.split_whitespace().map(|word| word.trim_matches(|at: char| !at.is_alphanumeric()).to_lowercase())
}

fn topics(lines: &[Line<'_>]) -> Vec<String> {
    let said: Vec<String> = lines.iter().flat_map(|line| words(line.text)).collect();
    let count = |marks: &[&str]| said.iter().filter(|word| marks.contains(&word.as_str())).count();
    let mut found: Vec<_> =
        TOPICS.iter().map(|(topic, marks)| (count(marks), *topic)).filter(|(count, _)| *count > 0).collect();
    found.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
    found.into_iter().take(3).map(|(_, topic)| topic.to_owned()).collect()
}

/// What the caller says last weighs most.
fn sentiment(lines: &[Line<'_>]) -> &'static str {
    let caller: Vec<_> = lines.iter().filter(|line| line.may_be(Who::Caller)).collect();
    let score = |line: &Line<'_>| {
        let count = |marks: &[&str]| words(line.text).filter(|word| marks.contains(&word.as_str())).count() as i64;
        count(&GLAD) - count(&SORRY)
    };
    let late = caller.len().div_ceil(2);
    let sum: i64 = caller.iter().enumerate().map(|(at, line)| score(line) * if at >= late { 2 } else { 1 }).sum();
    match sum {
        1.. => "positive",
        0 => "neutral",
        _ => "negative",
    }
}

fn outcome(lines: &[Line<'_>]) -> Option<String> {
    let last: Vec<String> = lines.iter().rev().take(4).map(|line| line.text.to_lowercase()).collect();
    let said = |marks: &[&str]| last.iter().any(|line| marks.iter().any(|mark| line.contains(mark)));
    let outcome = if said(&["think about it", "call me back", "not sure"]) {
        "follow-up"
    } else if said(&["solves", "solved", "works again", "perfect", "thank", "done"]) {
        "resolved"
    } else {
        "open"
    };
    (!last.is_empty()).then(|| outcome.to_owned())
}

fn summary(lines: &[Line<'_>], topics: &[String], next_step: Option<&str>) -> String {
    let substance = |line: &&Line<'_>| line.may_be(Who::Caller) && line.text.split_whitespace().count() > 5;
    let Some(said) = lines.iter().find(substance).or_else(|| lines.first()) else {
        return "(simulated) Nothing was said.".to_owned();
    };
    let about = match topics {
        [] => "a call".to_owned(),
        [one] => format!("a call about {one}"),
        [some @ .., last] => format!("a call about {} and {last}", some.join(", ")),
    };
    let speaker = match said.who {
        Who::Agent => "The agent",
        Who::Caller => "The caller",
        Who::Unknown => "Somebody",
    };
    let mut summary = format!("(simulated) This was {about}. {speaker} said: \"{}\"", said.text);
    if let Some(step) = next_step {
        summary.push_str(&format!(" The next step: \"{step}\""));
    }
    summary
}

fn coaching(lines: &[Line<'_>]) -> Vec<Coaching> {
    let agent = |marks: &[&str]| lines.iter().find(|line| line.may_be(Who::Agent) && line.holds(marks));
    let mut remarks = Vec::new();
    let mut strength = |text: &str, line: Option<&Line<'_>>| {
        remarks.extend(line.map(|line| Coaching {
            strength: Some(text.to_owned()),
            improvement: None,
            quote: line.text.to_owned(),
        }));
    };
    strength("Shows empathy before going on.", agent(&["i am sorry", "i'm sorry", "i understand", "no problem"]));
    strength("Asks an open question.", agent(&["how can i", "what do you", "what can i", "what about"]));
    strength("Names a concrete next step.", agent(&PROMISES));
    let doubt = lines.iter().find(|line| line.may_be(Who::Caller) && line.holds(&DOUBTS));
    remarks.extend(doubt.map(|line| Coaching {
        strength: None,
        improvement: Some("Ask what is behind this before answering.".to_owned()),
        quote: line.text.to_owned(),
    }));
    remarks
}

fn collected(lines: &[Line<'_>]) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    let mut add = |key: &str, value: &str| {
        if !value.is_empty() && !found.iter().any(|(known, _)| known == key) {
            found.push((key.to_owned(), value.to_owned()));
        }
    };
    for line in lines {
        for word in line.text.split_whitespace() {
            let bare = word.trim_matches(|at: char| !at.is_alphanumeric());
            if bare.contains('@') {
                add("email", bare);
            }
            if bare.len() > 3 && bare.chars().all(|at| at.is_ascii_digit()) {
                add("number", bare);
            }
        }
        let named = ["my name is ", "this is "].iter().find_map(|mark| {
            let at = line.text.to_ascii_lowercase().find(mark)?;
            line.may_be(Who::Caller).then(|| &line.text[at + mark.len()..])
        });
        if let Some(rest) = named {
            add("name", &capitalised(rest));
        }
    }
    found
}

/// The words with a capital that a text begins with, up to three.
fn capitalised(text: &str) -> String {
    let mut name = Vec::new();
    for word in text.split(' ').take(3) {
        if !word.starts_with(char::is_uppercase) {
            break;
        }
        name.push(word.trim_end_matches(|at: char| !at.is_alphanumeric()));
        if word.ends_with(['.', ',']) {
            break;
        }
    }
    name.join(" ")
}
