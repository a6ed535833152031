//! What proofs of the whole stand on: an [`Installation`] in the shape of production, whose parts are processes of the
//! real program, and the means to disturb it.
//!
//! [`process`] starts and ends one part, [`servers`] stops PostgreSQL and RabbitMQ, [`gate`] shuts off the object store,
//! [`sender`] posts webhooks as patiently as a provider does. Each proof is a binary in a folder of its own: `failures`
//! asks whether anything is lost or doubled, `bench` how fast it is, `speech` how well it hears.

pub mod gate;
pub mod installation;
mod patience;
pub mod process;
pub mod sender;
pub mod servers;

pub use installation::{INGEST, Installation, POOLS};
pub use patience::until;
