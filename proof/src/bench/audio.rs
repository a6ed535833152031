//! Local audio work: a call is heard through, cut and encoded; next to ffmpeg, which decodes and encodes the same file.

#![expect(clippy::print_stdout, reason = "the figures are the answer")]

use std::{
    fs::{self, File},
    io::Read,
    path::Path,
    process::{Command, Output},
};

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};
use shared::audio::{self, Grain, Limits};
use tokio_util::sync::CancellationToken;

use crate::{dialogue::record, peak};

/// The file that is timed.
const HOURS: f64 = 1.0;
/// The file whose memory is measured.
const LONG_HOURS: f64 = 4.0;
/// OpenAI's limits, below which pieces are kept.
const LIMITS: Limits = Limits { seconds: 1300.0, bytes: 24 << 20 };
/// What the pieces are encoded at; ffmpeg is given the same.
const BITRATE: &str = "24k";

/// What became of a file, and what it took.
#[derive(Serialize, Deserialize)]
struct Work {
    cpu_seconds: f64,
    peak_mib: f64,
    pieces: usize,
    speech_seconds: f64,
    bytes: usize,
}

/// Does the work on one file and prints what it took; in a process of its own, so that the figures are its alone.
pub fn work(recording: &Path) -> anyhow::Result<()> {
    let (dir, never) = (tempfile::tempdir()?, CancellationToken::new());
    let survey = audio::survey(recording, &never)?;
    let pieces = audio::cut(&survey, Grain::Long, LIMITS);
    let mut bytes = 0;
    for path in audio::write_pieces(recording, &pieces, dir.path(), &never)? {
        bytes += audio::to_opus(&fs::read(path)?[..])?.len();
    }
    let (cpu_seconds, peak_mib) = (processor_seconds()?, peak::memory(std::process::id())?);
    let speech_seconds = survey.speech_seconds();
    let work = Work { cpu_seconds, peak_mib, pieces: pieces.len(), speech_seconds, bytes };
    println!("{}", serde_json::to_string(&work)?);
    Ok(())
}

/// Prints the figures.
pub fn run() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let call = dir.path().join("call.wav");
    record(&call, HOURS)?;
    println!("{HOURS} h of a two-channel call, 8 kHz: decode, detect, cut, encode, on one core");
    let ours = ourselves(&call)?;
    let per_core = |seconds: f64| HOURS * 3600.0 / seconds;
    println!(
        "  tapedeck {:.0} audio-hours per core-hour; {:.0} s of speech in {} pieces, {:.1} MB",
        per_core(ours.cpu_seconds),
        ours.speech_seconds,
        ours.pieces,
        ours.bytes as f64 / 1e6
    );
    for complexity in ["10", "5"] {
        match ffmpeg(&call, dir.path(), complexity)? {
            Some(seconds) => println!(
                "  ffmpeg {:.0} (decode, libopus {BITRATE} of complexity {complexity}; ratio {:.2})",
                per_core(seconds),
                seconds / ours.cpu_seconds
            ),
            None => println!("  ffmpeg is not here to compare with"),
        }
    }
    record(&call, LONG_HOURS)?;
    let long = ourselves(&call)?;
    println!("  peak memory on a file of {LONG_HOURS} h: {:.1} MiB ({} pieces)\n", long.peak_mib, long.pieces);
    Ok(())
}

fn ourselves(call: &Path) -> anyhow::Result<Work> {
    let output = Command::new(std::env::current_exe()?).arg("--audio-work").arg(call).output()?;
    Ok(serde_json::from_slice(&succeeded(output)?.stdout)?)
}

/// Processor seconds of ffmpeg for both channels, each as a file; `None` where there is no ffmpeg.
fn ffmpeg(call: &Path, dir: &Path, complexity: &str) -> anyhow::Result<Option<f64>> {
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-hide_banner", "-y", "-benchmark", "-threads", "1", "-i"]).arg(call);
    ffmpeg.args(["-filter_complex", "asplit[a][b];[a]pan=mono|c0=c0[l];[b]pan=mono|c0=c1[r]"]);
    for side in ["l", "r"] {
        ffmpeg.args(["-map", &format!("[{side}]"), "-c:a", "libopus", "-application", "voip", "-b:a", BITRATE]);
        ffmpeg.args(["-compression_level", complexity]).arg(dir.join(format!("{side}.ogg")));
    }
    let output = match ffmpeg.output() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        output => succeeded(output?)?,
    };
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    let figure = |name: &str| -> Option<f64> { log.rsplit_once(name)?.1.split('s').next()?.parse().ok() };
    let seconds = figure("utime=").zip(figure("stime=")).map(|(user, system)| user + system);
    Ok(Some(seconds.context("ffmpeg says nothing of its time")?))
}

fn succeeded(output: Output) -> anyhow::Result<Output> {
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(output)
}

/// User and system time of this process so far.
fn processor_seconds() -> anyhow::Result<f64> {
    let mut stat = String::new();
    File::open("/proc/self/stat")?.read_to_string(&mut stat)?;
    let fields: Vec<&str> = stat.rsplit_once(')').context("no name")?.1.split_whitespace().collect();
    let ticks: f64 = fields[11].parse::<f64>()? + fields[12].parse::<f64>()?;
    // Linux counts these in hundredths of a second, whatever its clock.
    Ok(ticks / 100.0)
}
