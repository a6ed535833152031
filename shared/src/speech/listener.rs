//! A model as it is used here: what is known of it, what it is told, and what it turned out to answer.

use std::sync::atomic::{AtomicU8, Ordering};

use super::{
    ask::Format,
    known::{Known, Vocabulary},
    language,
};
use crate::env::{Env, EnvError};

/// A model and what it is told with every piece.
pub(super) struct Listener {
    pub(super) model: String,
    pub(super) known: Known,
    /// ISO 639-1; none where the server finds out.
    pub(super) languages: Vec<String>,
    /// Names and jargon, for a model that takes them as a list.
    pub(super) keywords: Vec<String>,
    pub(super) prompt: Option<String>,
    /// US dollars, where the known price is not what is paid.
    price_per_minute: Option<f64>,
    /// The richest answer that the server is believed to give, as [`Format`].
    format: AtomicU8,
}

impl Listener {
    /// `openais`: whether OpenAI itself has the model.
    pub(super) fn from_env(model: &str, openais: bool, env: &Env) -> Result<Self, EnvError> {
        let known = Known::of(model, openais, env)?;
        let (mut keywords, mut prompt) = (vocabulary(env)?, env.var("TRANSCRIBE_PROMPT").map(str::to_owned));
        match known.vocabulary {
            Vocabulary::Keywords => {}
            Vocabulary::Prompt(letters) => prompt = in_prompt(std::mem::take(&mut keywords), prompt, letters, model),
            Vocabulary::No => {
                if !keywords.is_empty() || prompt.is_some() {
                    tracing::warn!(model, "this model takes no vocabulary and no prompt; it goes without");
                }
                (keywords, prompt) = (Vec::new(), None);
            }
        }
        let price_per_minute = match env.var("TRANSCRIBE_PRICE_PER_MINUTE") {
            Some(_) => Some(env.parsed("TRANSCRIBE_PRICE_PER_MINUTE", 0.0)?),
            None => known.price_per_minute,
        };
        let format = AtomicU8::new(known.format as u8);
        let (model, languages) = (model.to_owned(), languages(env)?);
        Ok(Self { model, known, languages, keywords, prompt, price_per_minute, format })
    }

    /// US dollars for so many seconds of audio, where the price is known.
    pub(super) fn cost(&self, seconds: f64) -> Option<f64> {
        self.price_per_minute.map(|price| seconds / 60.0 * price)
    }

    /// Fails where a cap on the cost cannot be kept.
    pub(super) fn must_be_priced(&self) -> Result<(), EnvError> {
        let why = || format!("DAILY_COST_CAP needs the price of {}; 0 for a server of your own", self.model);
        self.price_per_minute.map(drop).ok_or_else(|| invalid("TRANSCRIBE_PRICE_PER_MINUTE", &why()))
    }

    /// What it is asked for.
    pub(super) fn format(&self) -> Format {
        Format::from(self.format.load(Ordering::Relaxed))
    }

    /// Remembers that the server does not give `format`. Returns whether that is news: otherwise asking for less did not
    /// help either.
    pub(super) fn downgrade(&self, format: Format) -> bool {
        let Some(less) = format.less() else { return false };
        tracing::info!(model = self.model, "the speech server does not answer as {format:?}; asking for {less:?}");
        self.format.fetch_max(less as u8, Ordering::Relaxed);
        true
    }

    /// What a reply depends on beside the sound.
    pub(super) fn terms(&self, format: Format) -> String {
        format!("{}/{format:?}/{:?}/{:?}/{:?}", self.model, self.languages, self.keywords, self.prompt)
    }
}

fn languages(env: &Env) -> Result<Vec<String>, EnvError> {
    let languages = env.list("TRANSCRIBE_LANGUAGE");
    match languages.iter().all(|language| language::is_code(language)) {
        true => Ok(languages),
        false => Err(invalid("TRANSCRIBE_LANGUAGE", "expected ISO 639-1 codes, such as en or it,en")),
    }
}

/// The terms of `TRANSCRIBE_VOCABULARY` and of the file, each once, the setting's first.
fn vocabulary(env: &Env) -> Result<Vec<String>, EnvError> {
    let (list, file) = ("TRANSCRIBE_VOCABULARY", "TRANSCRIBE_VOCABULARY_FILE");
    let mut terms = env.list("TRANSCRIBE_VOCABULARY");
    if let Some(path) = env.var("TRANSCRIBE_VOCABULARY_FILE") {
        let text = std::fs::read_to_string(path).map_err(|e| invalid(file, &e.to_string()))?;
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        terms.extend(lines.map(str::to_owned));
    }
    // What gpt-transcribe refuses (facts, crm_ai §2.2), and no name holds.
    if terms.iter().any(|term| term.contains(['<', '>', '\r', '\n'])) {
        return Err(invalid(list, "a term holds < or > or a line break"));
    }
    let mut known = std::collections::HashSet::new();
    terms.retain(|term| known.insert(term.clone()));
    Ok(terms)
}

/// As many terms as fit before the prompt, which counts first: its end is what a model heeds most.
fn in_prompt(terms: Vec<String>, prompt: Option<String>, letters: usize, model: &str) -> Option<String> {
    let mut left = letters.saturating_sub(prompt.as_ref().map_or(0, |prompt| prompt.chars().count()));
    let all = terms.len();
    let fits = |term: &String| {
        let length = term.chars().count() + 2;
        left = left.checked_sub(length)?;
        Some(term.clone())
    };
    let told: Vec<String> = terms.iter().map_while(fits).collect();
    if told.len() < all {
        tracing::warn!(model, terms = all, told = told.len(), "the vocabulary is longer than the model's prompt");
    }
    let list = (!told.is_empty()).then(|| format!("{}.", told.join(", ")));
    match (list, prompt) {
        (Some(list), Some(prompt)) => Some(format!("{list} {prompt}")),
        (list, prompt) => list.or(prompt),
    }
}

fn invalid(name: &str, why: &str) -> EnvError {
    EnvError::Invalid { name: name.to_owned(), why: why.to_owned() }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests may panic")]
    use std::io::Write;

    use super::*;

    fn listener(model: &str, pairs: &[(&str, &str)]) -> Result<Listener, EnvError> {
        Listener::from_env(model, true, &Env::from_pairs(pairs.iter().copied()))
    }

    #[test]
    fn each_model_is_told_of_names_in_its_own_way() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "# products\nTapedeck\n\n Callmind \nTapedeck").unwrap();
        let path = file.path().display().to_string();
        let settings = [
            ("TRANSCRIBE_VOCABULARY", "Rossi, Tapedeck"),
            ("TRANSCRIBE_VOCABULARY_FILE", &path),
            ("TRANSCRIBE_PROMPT", "A sales call."),
        ];
        let whisper = listener("whisper-1", &settings).unwrap();
        assert_eq!(whisper.prompt.as_deref(), Some("Rossi, Tapedeck, Callmind. A sales call."));
        assert!(whisper.keywords.is_empty());
        let newer = listener("gpt-transcribe", &settings).unwrap();
        assert_eq!(newer.keywords, ["Rossi", "Tapedeck", "Callmind"]);
        assert_eq!(newer.prompt.as_deref(), Some("A sales call."));
        let voices = listener("gpt-4o-transcribe-diarize", &settings).unwrap();
        assert_eq!((voices.keywords.len(), voices.prompt), (0, None));
    }

    #[test]
    fn a_vocabulary_stays_within_what_whisper_reads() {
        let terms = (0..300).map(|i| format!("Name{i}")).collect::<Vec<_>>().join(",");
        let whisper = listener("whisper-1", &[("TRANSCRIBE_VOCABULARY", &terms), ("TRANSCRIBE_PROMPT", "Hello.")]);
        let prompt = whisper.unwrap().prompt.unwrap();
        assert!(
            prompt.len() <= 600 && prompt.starts_with("Name0, Name1, ") && prompt.ends_with(". Hello."),
            "{prompt}"
        );
    }

    #[test]
    fn what_no_server_would_take_is_refused_at_start() {
        for (name, value) in [
            ("TRANSCRIBE_LANGUAGE", "Italian"),
            ("TRANSCRIBE_VOCABULARY", "<b>"),
            ("TRANSCRIBE_VOCABULARY_FILE", "/nowhere"),
        ] {
            assert!(listener("whisper-1", &[(name, value)]).is_err(), "{name}");
        }
    }
}
