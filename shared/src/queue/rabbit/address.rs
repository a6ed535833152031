//! Reads the broker's address from its URL.

use lapin::uri::AMQPUri;
use url::{Host, Url};

/// Seconds. RabbitMQ's own suggestion of 60 notices a dead peer late; below 5 a slow network looks like one.
const HEARTBEAT: u16 = 15;

/// What `AMQP_URL` has to look like. The value itself is never repeated: it holds the password.
pub(super) const EXPECTED: &str = "expected amqp://user:password@host:port/vhost, or amqps://";

/// The address in a URL; `None` when it is not one.
pub(super) fn parse(url: &str) -> Option<AMQPUri> {
    let mut address: AMQPUri = url.parse().ok()?;
    let url = Url::parse(url).ok()?;
    match url.host()? {
        // lapin takes every IPv6 address for localhost.
        Host::Ipv6(ip) => address.authority.host = ip.to_string(),
        Host::Ipv4(_) | Host::Domain(_) => {}
    }
    // By the letter a trailing slash names the vhost "". Nobody means that.
    if address.vhost.is_empty() {
        address.vhost = "/".to_owned();
    }
    address.query.heartbeat.get_or_insert(HEARTBEAT);
    Some(address)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests may panic")]

    use super::*;

    #[test]
    fn reads_the_usual_forms() {
        let address = parse("amqps://me:pass%2Fword@mq.example:5999/calls?heartbeat=30").unwrap();
        assert_eq!(address.to_string(), "amqps://me:pass%2Fword@mq.example:5999/calls?heartbeat=30");
        assert_eq!(parse("amqp://mq.example").unwrap().authority.port, 5672);
        assert_eq!(parse("amqp://mq.example").unwrap().query.heartbeat, Some(HEARTBEAT));
        assert_eq!(parse("amqp://10.0.0.7").unwrap().authority.host, "10.0.0.7");
        assert_eq!(parse("amqp://[fd00::7]:5672").unwrap().authority.host, "fd00::7");
    }

    #[test]
    fn a_trailing_slash_is_the_default_vhost() {
        for url in ["amqp://mq.example", "amqp://mq.example/", "amqp://mq.example/%2f"] {
            assert_eq!(parse(url).unwrap().vhost, "/", "{url}");
        }
    }

    #[test]
    fn refuses_what_is_not_an_amqp_url() {
        for url in ["", "mq.example:5672", "http://mq.example", "amqp:", "amqp:///calls"] {
            assert!(parse(url).is_none(), "{url}");
        }
    }
}
