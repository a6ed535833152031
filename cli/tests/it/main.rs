//! The binary as people run it: arguments, output, exit codes, signals.

mod commands;
mod demo;
mod killed;
mod playback;
mod program;
mod reanalyze;
mod up;
