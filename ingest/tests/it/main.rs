//! The public listener as senders and listeners meet it: real sockets, both databases. `make test` starts the servers.

mod accepting;
mod audio;
mod conformance;
mod connections;
mod contacts;
mod edge;
mod health;
mod recordings;
mod refusing;
