//! Why nobody could be reached, in fixed words: what the libraries say may name hosts and addresses.

use std::{error::Error, fmt::Write, io::ErrorKind};

/// Why a connection did not come about; `None` where nothing tells.
pub(super) fn of(error: &reqwest::Error) -> Option<&'static str> {
    let mut said = String::new();
    let mut source = error.source();
    while let Some(error) = source {
        let io = error.downcast_ref::<std::io::Error>();
        if let Some(cause) = io.and_then(|io| of_kind(io.kind())) {
            return Some(cause);
        }
        // Writing to a string does not fail. What an I/O error wraps is not its source.
        let _ = write!(
            said,
            "{error}; {}; ",
            io.and_then(std::io::Error::get_ref).map_or(String::new(), ToString::to_string)
        );
        source = error.source();
    }
    of_words(&said.to_lowercase()).or_else(|| error.is_timeout().then_some("nobody takes the connection in time"))
}

fn of_kind(kind: ErrorKind) -> Option<&'static str> {
    match kind {
        ErrorKind::ConnectionRefused => Some("the connection is refused"),
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted => Some("the connection is broken off"),
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => Some("there is no way to its address"),
        ErrorKind::TimedOut => Some("nobody takes the connection in time"),
        _ => None,
    }
}

/// In the order in which they are looked for: the narrower first.
const WORDS: [(&str, &str); 9] = [
    ("dns error", "its name is not found (DNS)"),
    ("failed to lookup", "its name is not found (DNS)"),
    ("certificate expired", "its certificate has expired (TLS)"),
    ("not valid yet", "its certificate is not valid yet (TLS)"),
    ("not valid for", "its certificate is for another name (TLS)"),
    ("unknownissuer", "its certificate is signed by nobody that is trusted here (TLS)"),
    ("certificate", "its certificate is not accepted (TLS)"),
    ("corrupt message", "what answers there does not speak TLS"),
    ("handshake", "no common ground in TLS"),
];

fn of_words(said: &str) -> Option<&'static str> {
    WORDS.iter().find(|(words, _)| said.contains(words)).map(|(_, cause)| *cause)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests may panic")]
    use tokio::{io::AsyncWriteExt, net::TcpListener};

    use crate::{
        budgets::Budgets,
        clock::Clock,
        http::{ClientError, Outside},
    };

    async fn said(url: &str) -> String {
        let http = Outside::new(Budgets::unlimited(), Clock::system()).unwrap().http;
        ClientError::from_transport("crm", &http.get(url).send().await.unwrap_err()).to_string()
    }

    #[tokio::test]
    async fn who_cannot_be_reached_is_told_why_and_not_where() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let plain = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        });
        let not_tls = said(&format!("https://127.0.0.1:{port}/hunter2")).await;
        assert_eq!(not_tls, "crm cannot be reached: what answers there does not speak TLS");
        plain.await.unwrap();
        let refused = said(&format!("http://127.0.0.1:{port}/hunter2")).await;
        assert_eq!(refused, "crm cannot be reached: the connection is refused");
        let nameless = said("http://hunter2.invalid/").await;
        assert_eq!(nameless, "crm cannot be reached: its name is not found (DNS)");
    }
}
