//! Text in columns, for people.

#![expect(clippy::print_stdout, reason = "the answer of a command goes to standard output")]

/// Prints rows under a head, each column as wide as its widest cell.
pub fn print<const N: usize>(head: [&str; N], rows: &[[String; N]]) {
    let mut widths = head.map(|cell| cell.chars().count());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: [&str; N]| {
        let padded = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    println!("{}", line(head));
    for row in rows {
        println!("{}", line(row.each_ref().map(String::as_str)));
    }
}
