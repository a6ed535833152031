//! One connection, kept up from the background for as long as the process lives. We rebuild everything ourselves: lapin's
//! own recovery can end in silence (its budget spent, or a channel closed without word to the consumer).

use std::{sync::Arc, time::Duration};

use backon::{ExponentialBuilder, Retryable};
use futures::StreamExt;
use lapin::{Channel, Event, uri::AMQPUri};
use tokio::{
    sync::watch,
    time::{Instant, interval, sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    connect::{Live, connect},
    within,
};
use crate::queue::QueueError;

const CONNECT_WITHIN: Duration = Duration::from_secs(10);
const CLOSE_WITHIN: Duration = Duration::from_secs(3);
const CHECK_EVERY: Duration = Duration::from_secs(1);
const SHORTEST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// A supervised connection. Clones share it.
#[derive(Clone)]
pub(super) struct Link(watch::Receiver<State>);

#[derive(Clone)]
enum State {
    /// The first try, or the first after a loss: worth waiting for.
    Connecting,
    Up(Arc<Live>, Instant),
    /// At least one try failed, for this reason.
    Down(String),
}

impl Link {
    /// Connects in the background, and again whenever the connection is lost, until `stop`. `role` tells the process's
    /// connections apart in logs and metrics, `name` in RabbitMQ's listing.
    pub fn start(
        address: AMQPUri,
        role: &'static str,
        name: String,
        stop: CancellationToken,
        tasks: &TaskTracker,
    ) -> Self {
        let (state, link) = watch::channel(State::Connecting);
        tasks.spawn(async move {
            let mut keep_up = std::pin::pin!(keep_up(&address, role, &name, &state, &stop));
            if stop.run_until_cancelled(&mut keep_up).await.is_none() {
                // The thread of a connection under way outlives its dropped future, and panics once the runtime is gone.
                let mut link = state.subscribe();
                let tried = link.wait_for(|state| !matches!(state, State::Connecting));
                let _ = timeout(CLOSE_WITHIN, async {
                    tokio::select! {
                        () = &mut keep_up => {}
                        _ = tried => {}
                    }
                })
                .await;
                close(state.send_replace(State::Down("closed".to_owned()))).await;
            }
        });
        Self(link)
    }

    /// A new channel. Waits for a connection that is on its way, but not out an outage.
    pub async fn channel(&self) -> Result<Channel, QueueError> {
        within("opening a channel", async {
            let mut state = self.0.clone();
            let reached = state.wait_for(|state| !matches!(state, State::Connecting)).await.map(|state| state.clone());
            let live = match reached {
                Ok(State::Up(live, _)) => live,
                Ok(State::Down(why)) => return Err(QueueError::Unreachable(why)),
                Ok(State::Connecting) | Err(_) => return Err(QueueError::Unreachable("closed".to_owned())),
            };
            live.connection.create_channel().await.map_err(super::explain)
        })
        .await
    }

    /// Waits for a connection, through any outage.
    pub async fn up(&self) {
        let _ = self.0.clone().wait_for(|state| matches!(state, State::Up(..))).await.is_ok();
    }

    /// Since when it has been connected; `None` when it is not.
    pub fn up_since(&self) -> Option<Instant> {
        match &*self.0.borrow() {
            State::Up(live, since) if live.connection.status().connected() => Some(*since),
            _ => None,
        }
    }

    /// The broker is short of memory or disk and reads nothing more from this connection.
    pub fn blocked(&self) -> bool {
        matches!(&*self.0.borrow(), State::Up(live, _) if live.connection.status().blocked())
    }
}

async fn keep_up(
    address: &AMQPUri,
    role: &'static str,
    name: &str,
    state: &watch::Sender<State>,
    stop: &CancellationToken,
) {
    let pauses = ExponentialBuilder::default()
        .with_min_delay(SHORTEST_PAUSE)
        .with_max_delay(LONGEST_PAUSE)
        .with_jitter()
        .without_max_times();
    while !stop.is_cancelled() {
        let failed = |why: &String, _| {
            if let State::Connecting = state.send_replace(State::Down(why.clone())) {
                tracing::warn!(role, why, "the broker is out of reach; trying until it is back");
            }
        };
        let connected = (|| connect(address, name, CONNECT_WITHIN)).retry(pauses).notify(failed).await;
        let Ok(live) = connected.map(Arc::new) else { continue };
        tracing::info!(role, "connected to the broker");
        state.send_replace(State::Up(live.clone(), Instant::now()));
        let why = watch_over(&live, role).await;
        tracing::warn!(role, why, "lost the broker");
        gauge("tapedeck_broker_connected", role, false);
        state.send_replace(State::Connecting);
        sleep(SHORTEST_PAUSE).await;
    }
}

/// Returns why the connection is no more. Besides listening to lapin's events it looks for itself.
async fn watch_over(live: &Live, role: &'static str) -> String {
    let mut events = std::pin::pin!(live.connection.events_listener());
    let mut checks = interval(CHECK_EVERY);
    let status = live.connection.status();
    loop {
        let mut why = "closed".to_owned();
        tokio::select! {
            event = events.next() => match event {
                Some(Event::ConnectionBlocked(why)) => tracing::warn!(role, why, "the broker takes no messages"),
                Some(Event::ConnectionUnblocked) => tracing::info!(role, "the broker takes messages again"),
                // Mostly of one channel alone, which is its user's business.
                Some(Event::Error(error)) => why = error.to_string(),
                Some(_) => {}
                None => return "the connection ended".to_owned(),
            },
            _ = checks.tick() => {}
        }
        if !status.connected() {
            return why;
        }
        gauge("tapedeck_broker_connected", role, true);
        gauge("tapedeck_broker_blocked", role, status.blocked());
    }
}

async fn close(state: State) {
    if let State::Up(live, _) = state {
        // A blocked connection never writes its goodbye; dropping it hangs up.
        let _ = timeout(CLOSE_WITHIN, live.connection.close(200, "bye".into())).await;
    }
}

fn gauge(name: &'static str, role: &'static str, on: bool) {
    metrics::gauge!(name, "role" => role).set(if on { 1.0 } else { 0.0 });
}
