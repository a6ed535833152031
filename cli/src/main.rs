//! `tapedeck`: the one binary. Each command has its file in `commands/`.

mod commands;
mod table;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    commands::Cli::parse().run()
}
