//! THE list of scenarios.

use futures::future::LocalBoxFuture;
use proof::{Installation, servers::Server};

use crate::{
    calls::{Bought, Placed},
    scenes::{brokers, databases, deaths, senders, vendors},
};

/// What happened, and what is to be checked at its end.
#[derive(Default)]
pub struct Story {
    /// Every call that was placed.
    pub calls: Vec<Placed>,
    /// Figures worth telling.
    pub figures: Vec<String>,
    /// What may have been bought twice, as who had asked for it was killed before it could keep the answer.
    pub again: Bought,
    /// Connections of webhooks may have broken.
    pub unanswered: bool,
    /// Webhooks may have been answered with 503.
    pub refused: bool,
}

/// One way to break it.
pub struct Scenario {
    /// What it is chosen by.
    pub name: &'static str,
    /// What is broken.
    pub about: &'static str,
    /// The servers that it stops; without control of them, it is skipped.
    pub stops: &'static [Server],
    /// How much shorter than usual the waits between retries are.
    pub retry_scale: &'static str,
    /// Tells the story.
    pub play: for<'a> fn(&'a Installation) -> LocalBoxFuture<'a, anyhow::Result<Story>>,
}

const fn scenario(
    name: &'static str,
    about: &'static str,
    play: for<'a> fn(&'a Installation) -> LocalBoxFuture<'a, anyhow::Result<Story>>,
) -> Scenario {
    Scenario { name, about, stops: &[], retry_scale: "0.01", play }
}

impl Scenario {
    const fn stops(mut self, servers: &'static [Server]) -> Self {
        self.stops = servers;
        self
    }

    const fn retry_scale(mut self, scale: &'static str) -> Self {
        self.retry_scale = scale;
        self
    }
}

/// Every scenario, in the order in which they run.
pub const ALL: [Scenario; 18] = [
    scenario("kill-9.ingest", "ingest killed while webhooks arrive", |at| Box::pin(deaths::ingest(at))),
    scenario("kill-9.intake", "a worker killed in the middle of intake", |at| Box::pin(deaths::intake(at))),
    scenario("kill-9.fetch", "… of fetching recordings", |at| Box::pin(deaths::fetch(at))),
    scenario("kill-9.transcribe", "… of transcribing, also after paying", |at| Box::pin(deaths::transcribe(at))),
    scenario("kill-9.analyze", "… of asking the model, also after paying", |at| Box::pin(deaths::analyze(at))),
    scenario("kill-9.sync.gohighlevel", "… of writing notes, also after they were written", |at| {
        Box::pin(deaths::gohighlevel(at))
    }),
    scenario("kill-9.sync.callmind", "… of writing records, also after they were written", |at| {
        Box::pin(deaths::callmind(at))
    }),
    scenario("sigterm", "every worker stopped in the middle of its work", |at| Box::pin(deaths::sigterm(at))),
    scenario("same-webhook", "every webhook fifty times at once", |at| Box::pin(senders::fifty_times(at))),
    scenario("reply-lost", "replies of the CRMs lost after they wrote", |at| Box::pin(vendors::replies_lost(at))),
    scenario("crm-down", "a CRM down for as long as ten retries take, and spared most of them", |at| {
        Box::pin(vendors::crm_down(at))
    })
    .retry_scale("0.002"),
    scenario("store-away", "the object store unreachable for a while", |at| Box::pin(vendors::store_away(at)))
        .retry_scale("0.002"),
    scenario("broker-killed", "RabbitMQ killed under load and started again", |at| Box::pin(brokers::killed(at)))
        .stops(&[Server::RabbitMq]),
    scenario("broker-wiped", "RabbitMQ loses all its data", |at| Box::pin(brokers::wiped(at)))
        .stops(&[Server::RabbitMq]),
    scenario("broker-stopped", "RabbitMQ away for a minute", |at| Box::pin(brokers::stopped(at)))
        .stops(&[Server::RabbitMq]),
    scenario("database-restarted", "PostgreSQL stopped under load and started", |at| {
        Box::pin(databases::restarted(at))
    })
    .stops(&[Server::Postgres]),
    scenario("database-killed", "PostgreSQL killed under load and started", |at| Box::pin(databases::killed(at)))
        .stops(&[Server::Postgres]),
    scenario("everything-at-once", "every worker and both servers killed", |at| Box::pin(databases::everything(at)))
        .stops(&Server::ALL),
];

/// Those that were chosen, by name or by the beginning of their names.
pub fn chosen(only: &[String]) -> Vec<&'static Scenario> {
    static LIST: [Scenario; ALL.len()] = ALL;
    let wanted = |scenario: &&Scenario| only.is_empty() || only.iter().any(|name| scenario.name.starts_with(name));
    LIST.iter().filter(wanted).collect()
}
