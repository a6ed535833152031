//! A scratch installation in the shape of production, for scripts: a database, queue names and an S3 server of its own.
//!
//! Prints the settings that lead to it, one `NAME=value` per line, and an empty line; all of it is gone when standard
//! input ends. `TEST_DATABASE_URL` and `TEST_AMQP_URL` name the servers: run it under `deploy/dev/services.sh run --`.

#![expect(clippy::print_stdout, reason = "its answer goes to standard output")]

use shared::testing::{Scratch, Shape};

const SETTINGS: [&str; 7] = [
    "DATABASE_URL",
    "AMQP_URL",
    "AMQP_PREFIX",
    "S3_BUCKET",
    "AWS_ENDPOINT_URL_S3",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
];

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let scratch = Scratch::new(Shape::Production).await;
    for name in SETTINGS {
        if let Some(value) = scratch.env().var(name) {
            println!("{name}={value}");
        }
    }
    println!();
    // The S3 server has threads of its own.
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).map(drop)
}
