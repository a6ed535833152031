//! The table.
#![expect(clippy::print_stdout, reason = "printing is what it is for")]

use shared::domain::Transcript;

use crate::run::Figures;

pub(crate) fn head(model: &str) {
    println!("Word error rate of {model}, in percent; cut: our pieces, whole: one request for the channel.\n");
    println!(
        "| call | minutes | words | per channel, cut | per channel, whole | mixed, cut | mixed, whole | wrong speaker | times within 0.1 s |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
}

pub(crate) fn row(name: &str, figures: &Figures) {
    let Figures { seconds, cut, whole, mixed_cut, mixed_whole, strangers, offsets } = figures;
    println!(
        "| {name} | {:.1} | {} | {:.1} | {:.1} | {:.1} | {:.1} | {:.1} % | {:.0} % |",
        seconds / 60.0,
        cut.said,
        cut.rate(),
        whole.rate(),
        mixed_cut.rate(),
        mixed_whole.rate(),
        percent(*strangers, cut.said),
        offsets.within(0.1),
    );
}

pub(crate) fn foot(all: &Figures) {
    row("all", all);
    let cost = |cut: f64, whole: f64| format!("{:+.1}", cut - whole);
    println!(
        "\nCutting costs {} points per channel, {} mixed.",
        cost(all.cut.rate(), all.whole.rate()),
        cost(all.mixed_cut.rate(), all.mixed_whole.rate())
    );
    println!("Errors per channel: cut {:?}, whole {:?}.", all.cut, all.whole);
    println!("Wrong speaker: {} of {} words.", all.strangers, all.cut.said);
    let off = |share| all.offsets.percentile(share).map_or("none".to_owned(), |off| format!("{off:.2} s"));
    println!(
        "Starts and ends of turns are off by {} (half of them at most), {} (nine of ten), {} (the worst).",
        off(0.5),
        off(0.9),
        off(1.0)
    );
}

pub(crate) fn turns(transcript: &Transcript) {
    for turn in &transcript.turns {
        println!("{:8.2} {:8.2}  {:7} {}", turn.start, turn.end, turn.speaker.to_string(), turn.text);
    }
}

fn percent(part: usize, of: usize) -> f64 {
    part as f64 * 100.0 / of.max(1) as f64
}
