//! Settings come from the environment, read once into an [`Env`] that is passed to whoever has settings.
//!
//! Every error names the variable. An empty value counts as unset, as compose files produce it.

use std::{
    collections::{HashMap, HashSet},
    str::FromStr,
    sync::Arc,
};

use secrecy::SecretString;

/// A snapshot of the environment. Cheap to clone.
#[derive(Clone, Default)]
pub struct Env {
    vars: Arc<HashMap<String, String>>,
    /// The names that the `.env` file sets.
    file: Arc<HashSet<String>>,
}

/// A setting that is missing or cannot be understood.
#[derive(Debug, thiserror::Error)]
pub enum EnvError {
    /// The variable is needed and not set.
    #[error("{0} is not set")]
    Missing(String),
    /// The variable is set to something that cannot be used. The value is not repeated: it may be a secret.
    #[error("{name} cannot be used: {why}")]
    Invalid {
        /// The variable.
        name: String,
        /// What is wrong with its value.
        why: String,
    },
}

/// The parser's own words repeat the line, which may hold a secret.
fn unreadable(error: dotenvy::Error, last: Option<&str>) -> anyhow::Error {
    match error {
        dotenvy::Error::Io(e) => anyhow::anyhow!("cannot read .env: {e}"),
        _ => {
            let place = last.map_or("its first setting".to_owned(), |last| format!("the setting after {last}"));
            anyhow::anyhow!(
                "cannot read .env: {place} cannot be read; a value with blanks, $ or # goes in single quotes"
            )
        }
    }
}

impl Env {
    /// The process environment, after reading a `.env` file in the working directory where there is one.
    ///
    /// # Errors
    /// When a `.env` file is there and cannot be parsed.
    pub fn from_process() -> anyhow::Result<Self> {
        let mut vars: HashMap<String, String> = HashMap::new();
        match dotenvy::dotenv_iter() {
            Ok(lines) => {
                let mut last = None;
                for line in lines {
                    let (name, value) = line.map_err(|e| unreadable(e, last.as_deref()))?;
                    vars.insert(name.clone(), value);
                    last = Some(name);
                }
            }
            Err(dotenvy::Error::Io(e)) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => return Err(unreadable(e, None)),
        }
        #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
        let process = std::env::vars_os();
        let file = Arc::new(vars.keys().cloned().collect());
        vars.extend(process.filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?))));
        Ok(Self { vars: Arc::new(vars), file })
    }

    /// An environment made of these pairs and nothing else.
    pub fn from_pairs<K: Into<String>, V: Into<String>>(pairs: impl IntoIterator<Item = (K, V)>) -> Self {
        Self::default().with(pairs)
    }

    /// This environment with some variables set anew.
    pub fn with<K: Into<String>, V: Into<String>>(&self, pairs: impl IntoIterator<Item = (K, V)>) -> Self {
        let mut vars = (*self.vars).clone();
        vars.extend(pairs.into_iter().map(|(k, v)| (k.into(), v.into())));
        Self { vars: Arc::new(vars), file: self.file.clone() }
    }

    /// This environment with what `other` sets on top.
    pub fn and(&self, other: &Self) -> Self {
        self.with(other.vars.iter().map(|(name, value)| (name.clone(), value.clone())))
    }

    /// Every variable as it is, to start another process with.
    pub fn vars(&self) -> impl Iterator<Item = (&str, &str)> {
        self.vars.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether the `.env` file names it.
    pub fn in_file(&self, name: &str) -> bool {
        self.file.contains(name)
    }

    /// The value, trimmed; `None` when unset or empty.
    pub fn var(&self, name: &str) -> Option<&str> {
        self.vars.get(name).map(|v| v.trim()).filter(|v| !v.is_empty())
    }

    /// The value of a variable that must be set.
    ///
    /// # Errors
    /// [`EnvError::Missing`].
    pub fn required(&self, name: &str) -> Result<&str, EnvError> {
        self.var(name).ok_or_else(|| EnvError::Missing(name.to_owned()))
    }

    /// The value parsed, or `default` when unset.
    ///
    /// # Errors
    /// [`EnvError::Invalid`] when it does not parse.
    pub fn parsed<T: FromStr>(&self, name: &str, default: T) -> Result<T, EnvError>
    where
        T::Err: std::fmt::Display,
    {
        match self.var(name) {
            None => Ok(default),
            Some(text) => {
                text.parse().map_err(|e: T::Err| EnvError::Invalid { name: name.to_owned(), why: e.to_string() })
            }
        }
    }

    /// A number, with or without a fraction.
    ///
    /// # Errors
    /// [`EnvError::Invalid`], also for what is no number but parses as one (`nan`, `inf`).
    pub fn number(&self, name: &str, default: f64) -> Result<f64, EnvError> {
        match self.parsed(name, default)? {
            number if number.is_finite() => Ok(number),
            _ => Err(EnvError::Invalid { name: name.to_owned(), why: "expected a number".to_owned() }),
        }
    }

    /// A switch: `true/false`, `on/off`, `yes/no`, `1/0`.
    ///
    /// # Errors
    /// [`EnvError::Invalid`] for anything else.
    pub fn flag(&self, name: &str, default: bool) -> Result<bool, EnvError> {
        match self.var(name).map(str::to_ascii_lowercase).as_deref() {
            None => Ok(default),
            Some("true" | "on" | "yes" | "1") => Ok(true),
            Some("false" | "off" | "no" | "0") => Ok(false),
            Some(_) => Err(EnvError::Invalid { name: name.to_owned(), why: "expected on or off".into() }),
        }
    }

    /// A secret value.
    pub fn secret(&self, name: &str) -> Option<SecretString> {
        self.var(name).map(SecretString::from)
    }

    /// The parts of a comma-separated list, trimmed, without empty ones.
    pub fn list(&self, name: &str) -> Vec<String> {
        let text = self.var(name).unwrap_or_default();
        text.split(',').map(str::trim).filter(|s| !s.is_empty()).map(str::to_owned).collect()
    }

    /// A base URL without its trailing slash, or `default`.
    ///
    /// # Errors
    /// [`EnvError::Invalid`] unless it is an absolute http(s) URL.
    pub fn base_url(&self, name: &str, default: &str) -> Result<String, EnvError> {
        let text = self.var(name).unwrap_or(default);
        let invalid = |why: &str| EnvError::Invalid { name: name.to_owned(), why: why.to_owned() };
        let url = url::Url::parse(text).map_err(|_| invalid("not an absolute URL"))?;
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err(invalid("expected http:// or https:// and a host"));
        }
        Ok(text.trim_end_matches('/').to_owned())
    }
}

impl std::fmt::Debug for Env {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Env({} variables)", self.vars.len())
    }
}
