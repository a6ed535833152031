//! Which origins a provider's recordings may lie on: the vendor's known hosts, the exact origin of its base URL, and what
//! the settings add.

use url::{Host, Url};

use crate::env::{Env, EnvError};

/// How far an allowed URL is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allowed {
    /// https on the standard port, public addresses only.
    Public,
    /// Our own settings name this origin or port: it may be private, and plain http.
    Trusted,
}

/// A provider's list.
#[derive(Debug, Clone, Default)]
pub struct Allowlist(Vec<Entry>);

#[derive(Debug, Clone)]
enum Entry {
    /// https on the standard port of a host that must be public.
    Host(String),
    /// The same for a domain and every host in it.
    Domain(String),
    /// Host and port, http or https, wherever it is.
    Port(String, u16),
    /// The origin of a configured base URL, wherever it is.
    Origin(url::Origin),
}

impl Allowlist {
    /// The vendor's known hosts.
    pub fn hosts(hosts: &[&str]) -> Self {
        Self(hosts.iter().map(|host| Entry::Host((*host).to_owned())).collect())
    }

    /// The vendor's domains, with every host in them.
    pub fn domains(domains: &[&str]) -> Self {
        Self(domains.iter().map(|domain| Entry::Domain((*domain).to_owned())).collect())
    }

    /// Adds the exact origin of a configured base URL.
    #[must_use]
    pub fn origin_of(mut self, base_url: &str) -> Self {
        if let Ok(url) = Url::parse(base_url) {
            self.0.push(Entry::Origin(url.origin()));
        }
        self
    }

    /// Adds what a variable lists: `host` (https, public) or `host:port` (also http, also private), comma-separated.
    ///
    /// # Errors
    /// [`EnvError::Invalid`] for anything else, such as a URL or a wildcard.
    pub fn and_from(mut self, env: &Env, variable: &str) -> Result<Self, EnvError> {
        for text in env.list(variable) {
            let entry = entry(&text).ok_or_else(|| EnvError::Invalid {
                name: variable.to_owned(),
                why: "expected host or host:port, comma-separated".to_owned(),
            })?;
            self.0.push(entry);
        }
        Ok(self)
    }

    /// Whether the URL is on the list, and how far it is trusted then.
    pub fn judge(&self, url: &Url) -> Option<Allowed> {
        let host = url.host_str()?;
        let port = url.port_or_known_default()?;
        let standard = url.scheme() == "https" && port == 443;
        let inside =
            |domain: &str| host.strip_suffix(domain).is_some_and(|before| before.is_empty() || before.ends_with('.'));
        let verdict = |entry: &Entry| match entry {
            Entry::Host(name) => (name == host && standard).then_some(Allowed::Public),
            Entry::Domain(domain) => (inside(domain) && standard).then_some(Allowed::Public),
            Entry::Port(name, number) => (name == host && *number == port).then_some(Allowed::Trusted),
            Entry::Origin(origin) => (*origin == url.origin()).then_some(Allowed::Trusted),
        };
        let verdicts: Vec<Allowed> = self.0.iter().filter_map(verdict).collect();
        let trusted = verdicts.contains(&Allowed::Trusted).then_some(Allowed::Trusted);
        trusted.or_else(|| verdicts.first().copied())
    }
}

/// Reads `host`, `host:port` or `[v6]:port`, in the form in which a parsed URL spells hosts.
fn entry(text: &str) -> Option<Entry> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, Some(port.parse().ok()?)),
        _ => (text, None),
    };
    if host.contains(['/', '*', '@']) {
        return None;
    }
    let host = Host::parse(host).ok()?.to_string();
    Some(match port {
        Some(port) => Entry::Port(host, port),
        None => Entry::Host(host),
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests may panic")]
    use super::*;

    fn judge(list: &Allowlist, url: &str) -> Option<Allowed> {
        list.judge(&url.parse().unwrap())
    }

    fn list() -> Allowlist {
        let env = Env::from_pairs([("HOSTS", "Files.Example.test, cdn.example.test:8443,[::1]:9000")]);
        let list = Allowlist::hosts(&["my.vendor.test"]).origin_of("http://127.0.0.1:4000/api");
        list.and_from(&env, "HOSTS").unwrap()
    }

    #[test]
    fn a_known_host_is_allowed_on_https_alone() {
        let list = list();
        for url in ["https://my.vendor.test/a", "https://MY.vendor.test:443/a", "https://files.example.test/b"] {
            assert_eq!(judge(&list, url), Some(Allowed::Public), "{url}");
        }
        for url in [
            "http://my.vendor.test/a",
            "https://my.vendor.test:8443/a",
            "https://my.vendor.test.evil.test/a",
            "https://evil.test/my.vendor.test",
            "https://xmy.vendor.test/",
        ] {
            assert_eq!(judge(&list, url), None, "{url}");
        }
    }

    #[test]
    fn a_domain_stands_for_its_hosts_and_for_no_name_that_looks_like_it() {
        let list = Allowlist::domains(&["vendor.test"]);
        for url in ["https://vendor.test/a", "https://media.vendor.test/a", "https://a.b.VENDOR.test/"] {
            assert_eq!(judge(&list, url), Some(Allowed::Public), "{url}");
        }
        for url in
            ["https://evilvendor.test/", "https://vendor.test.evil.test/", "http://vendor.test/", "https://a.test/"]
        {
            assert_eq!(judge(&list, url), None, "{url}");
        }
    }

    #[test]
    fn a_configured_port_or_base_url_may_be_private_but_nothing_beside_it() {
        let list = list();
        for url in [
            "http://127.0.0.1:4000/x",
            "http://cdn.example.test:8443/",
            "https://cdn.example.test:8443/",
            "http://[::1]:9000/",
        ] {
            assert_eq!(judge(&list, url), Some(Allowed::Trusted), "{url}");
        }
        for url in [
            "http://127.0.0.1:4001/x",
            "https://127.0.0.1:4000/x",
            "http://cdn.example.test/",
            "http://localhost:4000/",
        ] {
            assert_eq!(judge(&list, url), None, "{url}");
        }
    }

    #[test]
    fn a_list_that_cannot_be_read_is_refused() {
        for text in ["https://my.vendor.test", "*.vendor.test", "host:port", "user@host"] {
            let env = Env::from_pairs([("HOSTS", text)]);
            let error = Allowlist::default().and_from(&env, "HOSTS").unwrap_err();
            assert!(error.to_string().contains("HOSTS"), "{text}");
        }
    }
}
