//! Opens one connection, and never leaves a thread or a socket behind when that fails.

use std::{
    net::{Shutdown, TcpStream},
    os::fd::AsFd,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use lapin::{
    AsyncTcpStream, Connection, ConnectionProperties, runtime,
    tcp::{AMQPUriTcpExt, TLSConfig},
    uri::{AMQPScheme, AMQPUri},
};
use tokio::time::timeout;

/// An open connection. Hangs up when dropped.
pub(super) struct Live {
    /// lapin's handle.
    pub connection: Connection,
    socket: Socket,
}

impl Drop for Live {
    fn drop(&mut self) {
        self.socket.hang_up();
    }
}

/// Opens a connection that RabbitMQ lists under `name`, without lapin's own recovery: a lost one is never revived, the
/// link opens another and everything on it is built anew.
pub(super) async fn connect(address: &AMQPUri, name: &str, within: Duration) -> Result<Live, String> {
    let runtime = runtime::default_runtime().map_err(|e| e.to_string())?;
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    let socket = Socket::default();
    let slot = socket.clone();
    let opening = Connection::connector(
        address.clone(),
        runtime,
        async move |address, runtime| {
            let plain = AMQPUri { scheme: AMQPScheme::AMQP, ..address.clone() };
            let dialled = async {
                let stream = plain.connect_with_config_async(TLSConfig::default(), &runtime).await?;
                if let AsyncTcpStream::Plain(stream) = &stream {
                    slot.set(stream.get_ref().as_fd().try_clone_to_owned()?.into());
                }
                match address.scheme {
                    AMQPScheme::AMQP => Ok(stream),
                    AMQPScheme::AMQPS => stream.into_tls(&address.authority.host, TLSConfig::default()).await,
                }
            };
            Ok(timeout(within / 2, dialled).await.map_err(std::io::Error::from)??)
        },
        properties,
    );
    // lapin ignores the timeout in the URL, and a handshake that is never answered would hold its thread for ever.
    let opened = timeout(within, opening).await;
    let why = match opened {
        Ok(Ok(connection)) => return Ok(Live { connection, socket }),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer within {within:?}"),
    };
    socket.hang_up();
    Err(why)
}

/// A second handle of the connection's socket, to hang up with.
#[derive(Clone, Default)]
struct Socket(Arc<Mutex<Option<TcpStream>>>);

impl Socket {
    fn set(&self, stream: TcpStream) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(stream);
    }

    fn hang_up(&self) {
        if let Some(stream) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // Fails when the other side was faster.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests may panic")]

    use tokio::{io::AsyncReadExt, net::TcpListener};

    use super::*;
    use crate::queue::rabbit::address;

    #[tokio::test]
    async fn hangs_up_on_a_broker_that_never_answers() {
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = address::parse(&format!("amqp://{}", silent.local_addr().unwrap())).unwrap();
        let caller = tokio::spawn(async move { connect(&address, "test", Duration::from_millis(400)).await.err() });
        let (mut peer, _) = silent.accept().await.unwrap();
        let mut heard = Vec::new();
        timeout(Duration::from_secs(5), peer.read_to_end(&mut heard)).await.expect("still connected").unwrap();
        assert_eq!(heard, b"AMQP\x00\x00\x09\x01");
        assert!(caller.await.unwrap().unwrap().contains("no answer"));
    }

    #[tokio::test]
    async fn says_so_when_nobody_speaks_tls() {
        let plain = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = address::parse(&format!("amqps://{}", plain.local_addr().unwrap())).unwrap();
        let caller = tokio::spawn(async move { connect(&address, "test", Duration::from_secs(5)).await.err() });
        let (peer, _) = plain.accept().await.unwrap();
        drop(peer);
        assert!(caller.await.unwrap().is_some());
    }
}
