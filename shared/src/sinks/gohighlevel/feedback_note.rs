//! What the note with the feedback says: what a salesperson reads first comes first, the words of the call come last.

use super::note::{NoteKind, display_name, marker};
use crate::domain::{Coaching, Judged, Measured, Owner, Report, Score, Scored, Transcript, one_line};

/// The longest transcript in a note, in characters. The CRM's own limit is undocumented; half an hour of talk fits.
const TRANSCRIPT_LIMIT: usize = 20_000;

/// The note on a call that our work is finished with; `None` where it gave neither feedback nor words.
pub fn feedback_note(report: &Report) -> Option<String> {
    let call = &report.call;
    let transcript = report.transcript.as_ref().filter(|transcript| transcript.words() > 0);
    if report.feedback.is_none() && transcript.is_none() {
        return None;
    }
    let mut lines = vec![format!("{}{}", NoteKind::Feedback.prefix(&call.provider), title(report))];
    if let Some(feedback) = &report.feedback {
        let by =
            if feedback.is_the_providers() { format!(" by {}", display_name(&call.provider)) } else { String::new() };
        judged(&feedback.judged, &by, &mut lines);
        lines.extend(feedback.scorecard.iter().flat_map(scored));
        lines.extend(talk(&feedback.measured));
    }
    if let Some(transcript) = transcript {
        lines.extend([String::new(), "💬 Transcript:".into(), words(transcript)]);
    }
    lines.extend([String::new(), marker(call)]);
    Some(lines.join("\n"))
}

/// `Call with Mario Rossi, Agent: Roberto`.
fn title(report: &Report) -> String {
    let facts = &report.call.facts;
    let contact = facts.contact.name.as_ref().map(|name| format!(" with {name}")).unwrap_or_default();
    let agent = facts.agent.name.as_ref().map(|name| format!(", Agent: {name}")).unwrap_or_default();
    format!("Call{contact}{agent}")
}

/// `by` says whose judgement it is, where it is not ours.
fn judged(judged: &Judged, by: &str, lines: &mut Vec<String>) {
    // A provider may have collected data without one.
    lines.extend((!judged.summary.is_empty()).then(|| format!("📝 Summary{by}: {}", one_line(&judged.summary))));
    lines.extend(judged.sentiment.map(|sentiment| format!("Sentiment: {}", sentiment.as_str())));
    if !judged.topics.is_empty() {
        lines.push(format!("Topics: {}", one_line(&judged.topics.join(", "))));
    }
    lines.extend(judged.outcome.as_ref().map(|outcome| format!("Outcome: {}", one_line(outcome))));
    lines.extend(judged.next_step.as_ref().map(|step| format!("Next step: {}", one_line(step))));
    list("✅ Action items:", judged.action_items.iter().map(|item| owned(&item.text, item.owner)), lines);
    list("🛑 Objections:", judged.objections.iter().map(|objection| one_line(objection)), lines);
    list("🎯 Coaching:", judged.coaching.iter().filter_map(advice), lines);
    list(
        "📋 Collected data:",
        judged.collected_data.iter().map(|(k, v)| format!("{}: {}", one_line(k), one_line(v))),
        lines,
    );
}

fn list(heading: &str, items: impl Iterator<Item = String>, lines: &mut Vec<String>) {
    let items: Vec<_> = items.map(|item| format!("- {item}")).collect();
    if !items.is_empty() {
        lines.push(heading.to_owned());
        lines.extend(items);
    }
}

fn owned(text: &str, owner: Owner) -> String {
    match owner {
        Owner::Agent => format!("{} (agent)", one_line(text)),
        Owner::Customer => format!("{} (customer)", one_line(text)),
        Owner::Unknown => one_line(text),
    }
}

fn advice(coaching: &Coaching) -> Option<String> {
    let parts = [
        coaching.strength.as_ref().map(|strength| format!("Did well: {}", one_line(strength))),
        coaching.improvement.as_ref().map(|improvement| format!("Could improve: {}", one_line(improvement))),
    ];
    let said: Vec<_> = parts.into_iter().flatten().collect();
    let quote = coaching.quote.as_ref().map(|quote| format!(" (\"{}\")", one_line(quote))).unwrap_or_default();
    (!said.is_empty()).then(|| format!("{}{quote}", said.join(". ")))
}

/// The total, and each criterion with the words that show it.
fn scored(scored: &Scored) -> Vec<String> {
    let total = scored.total.map_or_else(|| "nothing to score".to_owned(), |total| format!("{total:.0}%"));
    let head = format!("🏁 Scorecard {}: {total}", one_line(&scored.name));
    [head].into_iter().chain(scored.scores.iter().map(|score| format!("- {}", scored_by(score)))).collect()
}

fn scored_by(score: &Score) -> String {
    let name = one_line(&score.name);
    let Some(points) = score.points else { return format!("{name}: no occasion") };
    let reason = score.reason.as_ref().map(|reason| format!(" {}", one_line(reason))).unwrap_or_default();
    let quotes = score.quotes.iter().map(|quote| format!(" (\"{}\")", one_line(quote))).collect::<String>();
    let unsupported = if score.unsupported { " ⚠ no words of the call show it, not counted" } else { "" };
    format!("{name}: {points}/{}{reason}{quotes}{unsupported}", score.scale)
}

/// The figures that the recording allows, on one line.
fn talk(measured: &Measured) -> Option<String> {
    let percent = |share: f64| format!("{:.0}%", share * 100.0);
    let figures = [
        measured.talk_ratio.map(|agent| format!("agent {}, caller {}", percent(agent), percent(1.0 - agent))),
        measured.silence_ratio.map(|silence| format!("silence {}", percent(silence))),
        measured.longest_silence_seconds.map(|seconds| format!("longest silence {seconds:.0}s")),
        measured.interruptions.map(|times| format!("interruptions {times}")),
        measured.words_per_minute.map(|pace| format!("{pace:.0} words/min")),
        measured.agent.as_ref().map(|a| format!("agent's longest monologue {:.0}s", a.longest_monologue_seconds)),
    ];
    let figures: Vec<_> = figures.into_iter().flatten().collect();
    (!figures.is_empty()).then(|| format!("📊 Talk: {}", figures.join(", ")))
}

/// The transcript, cut at the end of a line where it is too long for a note.
fn words(transcript: &Transcript) -> String {
    let text = transcript.text();
    let Some((limit, _)) = text.char_indices().nth(TRANSCRIPT_LIMIT) else { return text };
    let cut = text[..limit].rfind('\n').unwrap_or(limit);
    format!("{}\n… (transcript continues in Tapedeck)", &text[..cut])
}

#[cfg(test)]
mod tests;
