//! What clients need of the world: no budgets, and little patience with a vendor that is silent.

use std::time::Duration;

use shared::{budgets::Budgets, clock::Clock, http::Outside};

/// Clients that give up after two seconds without a byte.
pub fn impatient() -> Outside {
    #[expect(clippy::disallowed_methods, reason = "a client with less patience than the service has")]
    let http = reqwest::Client::builder().read_timeout(Duration::from_secs(2)).no_proxy();
    let http = http.build().expect("a client without special settings can be built");
    let outside = Outside::new(Budgets::unlimited(), Clock::system()).expect("the machine has TLS");
    Outside { http, ..outside }
}

/// Where the sandbox listens: any free port.
pub fn anywhere() -> std::net::SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

/// The kind of fault that a trouble is in the sandbox.
pub fn fault_of(trouble: shared::sinks::conformance::Trouble) -> sandbox::FaultKind {
    use sandbox::FaultKind;
    use shared::sinks::conformance::Trouble;
    match trouble {
        Trouble::Status(status, retry_after) => FaultKind::Status { status, retry_after, body: None },
        Trouble::ReplyLost => FaultKind::ReplyLost,
        Trouble::Hang => FaultKind::Hang { ms: 60_000 },
        Trouble::Page => FaultKind::Html200,
        Trouble::CutOff => FaultKind::CutOff,
    }
}
