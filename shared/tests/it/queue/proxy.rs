//! A broker that can be away: connections to it are passed on, or not.

use shared::queue::conformance::eventually;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// In front of the real broker. Gone when dropped.
pub struct Proxy {
    pub url: String,
    there: watch::Sender<bool>,
}

impl Proxy {
    /// In front of the broker at this URL; away until told otherwise.
    pub async fn new(url: &str) -> Self {
        let mut url = url::Url::parse(url).unwrap();
        let broker = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap_or(5672));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        url.set_host(Some("127.0.0.1")).unwrap();
        url.set_port(Some(listener.local_addr().unwrap().port())).unwrap();
        let (there, is_there) = watch::channel(false);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass(client, broker.clone(), is_there.clone()));
            }
        });
        Self { url: url.into(), there }
    }

    /// The broker comes up, or goes away and takes all connections with it.
    pub fn set(&self, there: bool) {
        self.there.send_replace(there);
    }

    /// Cuts all connections, as an operator would, and lets new ones through; returns how many there were.
    pub async fn cut(&self) -> usize {
        let connections = self.connections();
        self.set(false);
        eventually("all are cut", async || self.connections() == 0).await;
        self.set(true);
        connections
    }

    /// How many connections there are: each looks whether the broker is there, and so does who accepts them.
    pub fn connections(&self) -> usize {
        self.there.receiver_count() - 1
    }
}

async fn pass(mut client: TcpStream, broker: String, mut there: watch::Receiver<bool>) {
    if !*there.borrow() {
        return;
    }
    let mut server = TcpStream::connect(broker).await.unwrap();
    tokio::select! {
        _ = copy_bidirectional(&mut client, &mut server) => {}
        _ = there.wait_for(|there| !there) => {}
    }
}
