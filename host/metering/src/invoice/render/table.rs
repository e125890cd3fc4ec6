//! Text in aligned columns.

use super::super::{Invoice, Kind, Section, Unrated};
use super::{COLUMNS, NOTHING, NUMBERS, PREVIEW, Row, counted, rows, seen};
use crate::money::written;

pub(super) fn table(invoice: &Invoice) -> String {
    let (first, last) = invoice.days();
    let mut lines = vec![format!("Invoice {}: {}", invoice.month(), seen(&invoice.consumer))];
    lines.push(format!("{first} to {last} (UTC)"));
    lines.extend(invoice.preview.then(|| PREVIEW.to_owned()));
    for it in &invoice.sections {
        lines.push(String::new());
        section(&mut lines, it);
    }
    for it in &invoice.unrated {
        lines.push(String::new());
        unrated(&mut lines, it);
    }
    lines.push(String::new());
    lines.extend(invoice.totals.iter().map(|it| format!("Due: {it}")));
    lines.extend(invoice.totals.is_empty().then(|| NOTHING.to_owned()));
    lines.iter().map(|line| format!("{}\n", line.trim_end())).collect()
}

fn section(lines: &mut Vec<String>, section: &Section) {
    lines.push(format!("Plan {} ({})", seen(&section.plan), section.currency.code()));
    let mut all = vec![Row { detail: false, cells: COLUMNS.map(str::to_owned) }];
    all.extend(rows(section));
    let body = all.len();
    let mut sum = |name: &str, amount| {
        let mut cells: [String; 6] = Default::default();
        cells[0] = name.to_owned();
        cells[5] = written(amount, section.currency.places());
        all.push(Row { detail: false, cells });
    };
    if section.lines.iter().any(|line| line.kind == Kind::Credit) {
        sum("Before credit", section.subtotal());
    }
    sum("Due", section.total());
    let texts: Vec<[String; 6]> = all.iter().map(indented).collect();
    let width = |column: usize| texts.iter().map(|it| it[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 6] = std::array::from_fn(width);
    let rule = "-".repeat(widths.iter().sum::<usize>() + 2 * (widths.len() - 1));
    for (index, cells) in texts.iter().enumerate() {
        if index == 1 || index == body {
            lines.push(format!("  {rule}"));
        }
        lines.push(format!("  {}", aligned(cells, &widths)));
    }
    lines.extend(section.notes.iter().map(|note| format!("  Note: {}", seen(&note.to_string()))));
}

fn indented(row: &Row) -> [String; 6] {
    let mut cells = row.cells.each_ref().map(|it| seen(it));
    if row.detail {
        cells[0].insert_str(0, "  ");
    }
    cells
}

fn aligned(cells: &[String; 6], widths: &[usize; 6]) -> String {
    let cell = |(column, width): (usize, &usize)| {
        let text = &cells[column];
        if column < NUMBERS { format!("{text:<width$}") } else { format!("{text:>width$}") }
    };
    let all: Vec<String> = widths.iter().enumerate().map(cell).collect();
    all.join("  ")
}

fn unrated(lines: &mut Vec<String>, unrated: &Unrated) {
    if unrated.plan.is_empty() {
        lines.push(format!("No plan. {}", unrated.why.text()));
    } else {
        lines.push(format!("Plan {}. {}", seen(&unrated.plan), unrated.why.text()));
    }
    lines.extend(counted(unrated).iter().map(|it| format!("  {}", seen(it))));
}
