//! `tapedeck`: the one binary. Each command has its file in `commands/`.

mod commands;
mod table;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    end_quietly_when_nobody_reads();
    commands::Cli::parse().run()
}

/// `tapedeck calls list | head`: a reader that has seen enough is no failure, and no reason for a backtrace.
fn end_quietly_when_nobody_reads() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let broken_pipe = panic.payload_as_str().is_some_and(|text| text.contains("Broken pipe"));
        if broken_pipe {
            std::process::exit(0);
        }
        report(panic);
    }));
}
