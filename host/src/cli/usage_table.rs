//! Usage as text in aligned columns, and as CSV.

use sluice_metering::text::{csv_field, seen};

use crate::metering::report::{Row, Usage};

/// Text for a terminal.
pub(super) fn table(usage: &Usage) -> String {
    let mut columns: Vec<Column<'_>> = Vec::new();
    if usage.by != "total" {
        columns.push(Column::text(usage.by, |row| row.start.clone()));
    }
    columns.push(Column::text("consumer", |row| row.consumer.clone().unwrap_or_default()));
    columns.push(Column::text("meter", |row| row.meter.clone()));
    columns.push(Column::text("plan", |row| row.plan.clone().unwrap_or_default()));
    if let Some(group) = &usage.group {
        columns.push(Column::text(group, |row| row.group.clone().unwrap_or_default()));
    }
    columns.push(Column::number("quantity", |row| row.quantity.clone()));
    columns.push(Column::text("unit", |row| row.unit.clone().unwrap_or_default()));
    columns.push(Column::number("events", |row| row.events.to_string()));

    let mut text = format!("{} to {}\n\n", usage.from, usage.to);
    if usage.rows.is_empty() {
        text.push_str("Nothing was used.\n");
        return text;
    }
    let head: Vec<String> = columns.iter().map(|column| seen(column.name)).collect();
    let cells = |row: &Row| columns.iter().map(|column| seen(&(column.cell)(row))).collect();
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(usage.rows.iter().map(cells)).collect();
    let width = |at: usize| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    for row in &rows {
        let aligned = row.iter().zip(&widths).zip(&columns).map(|((cell, width), column)| {
            if column.is_number { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
        });
        let line = aligned.collect::<Vec<_>>().join("  ");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A column of the table.
struct Column<'a> {
    name: &'a str,
    is_number: bool,
    cell: fn(&Row) -> String,
}

impl<'a> Column<'a> {
    const fn text(name: &'a str, cell: fn(&Row) -> String) -> Self {
        Self { name, is_number: false, cell }
    }

    const fn number(name: &'a str, cell: fn(&Row) -> String) -> Self {
        Self { name, is_number: true, cell }
    }
}

/// RFC 4180, with a header.
pub(super) fn csv(usage: &Usage) -> String {
    let mut text = "start,end,consumer,meter,plan,group,quantity,unit,events\r\n".to_owned();
    let field = |value: &Option<String>| csv_field(value.as_deref().unwrap_or_default());
    for row in &usage.rows {
        let cells = [
            row.start.clone(),
            row.end.clone(),
            field(&row.consumer),
            csv_field(&row.meter),
            field(&row.plan),
            field(&row.group),
            row.quantity.clone(),
            field(&row.unit),
            row.events.to_string(),
        ];
        text.push_str(&cells.join(","));
        text.push_str("\r\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(by: &'static str, group: Option<&str>) -> Usage {
        let row = |consumer: &str, group: &str, quantity: &str, events| Row {
            start: "2026-11-01T00:00:00Z".to_owned(),
            end: "2026-11-02T00:00:00Z".to_owned(),
            consumer: (!consumer.is_empty()).then(|| consumer.to_owned()),
            meter: "tokens".to_owned(),
            plan: Some("pro".to_owned()),
            group: (!group.is_empty()).then(|| group.to_owned()),
            quantity: quantity.to_owned(),
            unit: Some("token".to_owned()),
            events,
        };
        Usage {
            from: "2026-11-01T00:00:00Z".to_owned(),
            to: "2026-11-23T18:00:00Z".to_owned(),
            by,
            group: group.map(str::to_owned),
            meters: Default::default(),
            rows: vec![row("acme", "=1+1", "1234.5", 3), row("", "\u{1b}[31m,", "7", 12)],
            next: None,
        }
    }

    #[test]
    fn a_table_is_aligned_and_harmless() {
        let expected = "\
2026-11-01T00:00:00Z to 2026-11-23T18:00:00Z

consumer  meter   plan  quantity  unit   events
acme      tokens  pro     1234.5  token       3
          tokens  pro          7  token      12
";
        assert_eq!(table(&usage("total", None)), expected);
        let by_day = table(&usage("day", Some("model")));
        assert!(by_day.contains("day                   consumer  meter   plan  model"), "{by_day}");
        assert!(!by_day.contains('\u{1b}'), "{by_day}");
        let none = Usage { rows: Vec::new(), ..usage("total", None) };
        assert!(table(&none).ends_with("Nothing was used.\n"));
    }

    #[test]
    fn csv_is_what_spreadsheets_do_not_run() {
        let expected = "start,end,consumer,meter,plan,group,quantity,unit,events\r\n\
            2026-11-01T00:00:00Z,2026-11-02T00:00:00Z,acme,tokens,pro,'=1+1,1234.5,token,3\r\n\
            2026-11-01T00:00:00Z,2026-11-02T00:00:00Z,,tokens,pro,\"\u{fffd}[31m,\",7,token,12\r\n";
        assert_eq!(csv(&usage("day", Some("model"))), expected);
    }
}
