//! What is said in a call. A line is `agent: words` or `caller +2.5: words`; the number is how many seconds after the line
//! before it begins (fewer than none: both talk). Before the lines: `voice agent slt`, `noise caller -40` and
//! `echo agent -34` (dB).

use anyhow::{Context, bail, ensure};

/// A pause between two lines that says nothing else, seconds.
const PAUSE: f64 = 0.4;
const CALLS: [(&str, &str); 5] = [
    ("parcel", include_str!("calls/parcel.txt")),
    ("clinic", include_str!("calls/clinic.txt")),
    ("outage", include_str!("calls/outage.txt")),
    ("software", include_str!("calls/software.txt")),
    ("insurance", include_str!("calls/insurance.txt")),
];

/// Channel of the caller; the agent has the other.
pub(crate) const CALLER: usize = 0;

/// A call as it is written.
#[derive(Debug)]
pub(crate) struct Script {
    pub(crate) name: &'static str,
    /// Of caller and agent.
    pub(crate) sides: [Side; 2],
    pub(crate) lines: Vec<Line>,
}

/// One end of the line.
#[derive(Debug, Default)]
pub(crate) struct Side {
    pub(crate) voice: String,
    /// Loudness of the noise at this end, dBFS.
    pub(crate) noise: Option<f64>,
    /// How loud the other is heard at this end, dB below their own.
    pub(crate) echo: Option<f64>,
}

/// What one says at a time.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) side: usize,
    /// Seconds after the line before.
    pub(crate) pause: f64,
    pub(crate) text: String,
}

/// The calls of these names; all without any.
pub(crate) fn calls(only: &[String]) -> anyhow::Result<Vec<Script>> {
    let wanted = |name: &str| only.is_empty() || only.iter().any(|wanted| wanted == name);
    let calls = CALLS.iter().filter(|(name, _)| wanted(name));
    let calls: Vec<Script> = calls.map(|(name, text)| parse(name, text)).collect::<anyhow::Result<_>>()?;
    ensure!(!calls.is_empty(), "there are these calls: {}", CALLS.map(|(name, _)| name).join(", "));
    Ok(calls)
}

fn parse(name: &'static str, text: &str) -> anyhow::Result<Script> {
    let mut script = Script { name, sides: Default::default(), lines: Vec::new() };
    for written in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let understood = match written.split_once(": ") {
            Some((who, words)) => line(who, words).map(|line| script.lines.push(line)),
            None => setting(&mut script.sides, written),
        };
        understood.with_context(|| format!("{name}: {written}"))?;
    }
    Ok(script)
}

fn line(who: &str, words: &str) -> anyhow::Result<Line> {
    let mut who = who.split_whitespace();
    let side = side(who.next())?;
    let pause = who.next().map_or(Ok(PAUSE), str::parse)?;
    Ok(Line { side, pause, text: words.to_owned() })
}

fn setting(sides: &mut [Side; 2], written: &str) -> anyhow::Result<()> {
    let mut parts = written.split_whitespace();
    let what = parts.next();
    let side = &mut sides[side(parts.next())?];
    let value = parts.next().context("a value is missing")?;
    match what {
        Some("voice") => value.clone_into(&mut side.voice),
        Some("noise") => side.noise = Some(value.parse()?),
        Some("echo") => side.echo = Some(value.parse()?),
        _ => bail!("expected voice, noise or echo"),
    }
    Ok(())
}

fn side(name: Option<&str>) -> anyhow::Result<usize> {
    match name {
        Some("caller") => Ok(CALLER),
        Some("agent") => Ok(1 - CALLER),
        _ => bail!("expected agent or caller"),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests may panic")]
    use super::*;

    #[test]
    fn every_call_has_two_voices_and_a_few_hundred_words() {
        for script in calls(&[]).unwrap() {
            let words: usize = script.lines.iter().map(|line| line.text.split_whitespace().count()).sum();
            assert!(words > 350 && script.sides.iter().all(|side| !side.voice.is_empty()), "{}: {words}", script.name);
            assert_ne!(script.sides[0].voice, script.sides[1].voice);
        }
        assert!(calls(&["none".into()]).is_err());
    }

    #[test]
    fn lines_and_settings_are_read() {
        let script =
            parse("x", "# x\nvoice agent slt\nnoise caller -40\n\nagent: Hello: you?\ncaller -0.7: Hi.").unwrap();
        assert_eq!((script.sides[1].voice.as_str(), script.sides[0].noise), ("slt", Some(-40.0)));
        assert_eq!((script.lines[0].text.as_str(), script.lines[0].pause), ("Hello: you?", PAUSE));
        assert_eq!((script.lines[1].side, script.lines[1].pause), (CALLER, -0.7));
        assert!(parse("x", "nobody: Hello.").is_err() && parse("x", "noise caller loud").is_err());
    }
}
