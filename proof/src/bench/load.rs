//! A load that costs little itself: plain HTTP/1.1 over kept connections, so that on two cores it is the service that is
//! measured and not the client.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

/// What a load led to.
pub struct Report {
    /// Answered requests per second.
    pub rate: f64,
    /// Times from when a request was due until its answer was there, sorted.
    pub times: Vec<Duration>,
}

impl Report {
    /// The time that this share of the requests stayed under.
    pub fn quantile(&self, share: f64) -> Duration {
        let last = self.times.len().saturating_sub(1);
        self.times.get((last as f64 * share).round() as usize).copied().unwrap_or_default()
    }
}

/// Where to post what.
pub struct Target {
    /// The service.
    pub address: SocketAddr,
    /// The route.
    pub path: &'static str,
    /// `Authorization` header.
    pub authorization: String,
    /// The body of the request with that number.
    pub body: fn(u64) -> String,
}

/// Each of `clients` posts as fast as it is answered, for that long.
pub async fn as_fast_as_possible(target: Arc<Target>, clients: usize, time: Duration) -> anyhow::Result<Report> {
    run(target, clients, time, |_, _| None).await
}

/// Together the clients post that many per second, whether the service keeps up or not: a late answer counts from when its
/// request was due.
pub async fn at_rate(target: Arc<Target>, clients: usize, per_second: u64, time: Duration) -> anyhow::Result<Report> {
    let gap = Duration::from_secs_f64(1.0 / per_second as f64);
    run(target, clients, time, move |start, number| Some(start + gap.mul_f64(number as f64))).await
}

async fn run(
    target: Arc<Target>,
    clients: usize,
    time: Duration,
    due: impl Fn(Instant, u64) -> Option<Instant> + Copy + Send + 'static,
) -> anyhow::Result<Report> {
    static EVER: AtomicU64 = AtomicU64::new(0);
    let (turn, start) = (Arc::new(AtomicU64::new(0)), Instant::now());
    let mut tasks = JoinSet::new();
    for _ in 0..clients {
        let (target, turn) = (target.clone(), turn.clone());
        tasks.spawn(async move {
            let mut connection = Connection::open(&target).await?;
            let mut times = Vec::new();
            loop {
                let at = due(start, turn.fetch_add(1, Ordering::Relaxed));
                if let Some(at) = at {
                    tokio::time::sleep_until(at.into()).await;
                }
                if start.elapsed() >= time {
                    return anyhow::Ok(times);
                }
                let from = at.unwrap_or_else(Instant::now);
                connection.post(&target, &(target.body)(EVER.fetch_add(1, Ordering::Relaxed))).await?;
                times.push(from.elapsed());
            }
        });
    }
    let mut times = Vec::new();
    while let Some(task) = tasks.join_next().await {
        times.extend(task??);
    }
    let rate = times.len() as f64 / start.elapsed().as_secs_f64();
    times.sort();
    Ok(Report { rate, times })
}

/// A kept connection.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    /// Connects.
    pub async fn open(target: &Target) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(target.address).await.context("cannot connect")?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(4096) })
    }

    /// Posts one body; anything but 200 is an error.
    pub async fn post(&mut self, target: &Target, body: &str) -> anyhow::Result<()> {
        let Target { address, path, authorization, .. } = target;
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: {authorization}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        self.stream.write_all(request.as_bytes()).await?;
        self.buffer.clear();
        let (head, length) = loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                bail!("the connection was closed");
            }
            if let Some(end) = self.buffer.windows(4).position(|w| w == b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&self.buffer[..end]).to_ascii_lowercase();
                let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
                break (head, end + 4 + length.unwrap_or(0usize));
            }
        };
        while self.buffer.len() < length {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                bail!("the answer was cut off");
            }
        }
        if !head.starts_with("http/1.1 200") {
            bail!("answered {}", head.lines().next().unwrap_or_default());
        }
        Ok(())
    }
}
