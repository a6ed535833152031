//! The API as its users meet it, on both databases. `make test` starts the servers.

mod access;
mod calls;
mod carried;
mod costs;
mod dead;
mod desk;
mod elevenlabs;
mod openapi;
mod recordings;
mod schema;
mod waveform;
