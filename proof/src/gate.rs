//! A gate in front of a server: shut, it breaks every connection and refuses new ones.

use std::net::SocketAddr;

use anyhow::Context;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{AbortHandle, JoinSet},
};

/// Passes bytes on until it is shut.
#[derive(Debug)]
pub struct Gate {
    address: SocketAddr,
    open: watch::Sender<bool>,
    accepting: AbortHandle,
}

impl Gate {
    /// An open gate in front of this address (`host:port`).
    ///
    /// # Errors
    /// When there is no free port.
    pub async fn before(server: String) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("no free port")?;
        let address = listener.local_addr()?;
        let (open, opened) = watch::channel(true);
        let accepting = tokio::spawn(accept(listener, server, opened)).abort_handle();
        Ok(Self { address, open, accepting })
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Nothing passes from now on.
    pub fn shut(&self) {
        self.open.send_replace(false);
    }

    /// All passes again.
    pub fn open(&self) {
        self.open.send_replace(true);
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, server: String, open: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        let (server, mut open) = (server.clone(), open.clone());
        connections.spawn(async move {
            let pass = async {
                if let Ok(server) = TcpStream::connect(server).await {
                    let (mut client, mut server) = (client, server);
                    // Whoever hangs up first ends it.
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                }
            };
            tokio::select! {
                _ = open.wait_for(|open| !open) => {}
                () = pass => {}
            }
        });
    }
}
