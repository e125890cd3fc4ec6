//! An invoice as text, JSON, CSV and HTML. The same invoice is always the same bytes.

mod csv;
mod html;
mod json;
mod table;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use rust_decimal::Decimal;

use super::{Invoice, Line, Section, Unrated};
use crate::money::written;
use crate::text::seen;

/// What the columns of a section are called. Those from [`NUMBERS`] on are numbers.
const COLUMNS: [&str; 6] = ["Description", "Unit", "Quantity", "Price", "Exact", "Amount"];
const NUMBERS: usize = 2;
const PREVIEW: &str = "Preview: the month is not over. Usage may grow, and fees assume that the plan stays.";
const NOTHING: &str = "Nothing is due.";

impl Invoice {
    /// Text for a terminal, in aligned columns. Control characters in names are replaced.
    #[must_use]
    pub fn to_table(&self) -> String {
        table::table(self)
    }

    /// One JSON object, indented, with a line feed at its end. Amounts and quantities are strings, so no digit is lost.
    #[must_use]
    pub fn to_json(&self) -> String {
        json::json(self)
    }

    /// RFC 4180, with a header. The amounts of a currency add up to what is due in it; rows of the kind `detail` have none. Names that a
    /// spreadsheet would take for a formula begin with an apostrophe.
    #[must_use]
    pub fn to_csv(&self) -> String {
        csv::csv(self)
    }

    /// One HTML page that needs nothing else, for the screen and for paper.
    #[must_use]
    pub fn to_html(&self) -> String {
        html::html(self)
    }

    /// `2026-11`.
    fn month(&self) -> String {
        let first = date(self.period.start);
        format!("{:04}-{:02}", first.year(), first.month())
    }

    /// The first and the last day.
    fn days(&self) -> (Date, Date) {
        let first = date(self.period.start);
        (first, first.last_of_month())
    }

    const fn status(&self) -> &'static str {
        if self.preview { "preview" } else { "final" }
    }
}

fn date(at: jiff::Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

/// A line of a section, or a step of how it comes about.
struct Row {
    detail: bool,
    cells: [String; 6],
}

fn rows(section: &Section) -> Vec<Row> {
    section.lines.iter().flat_map(|line| line_rows(line, section.currency.places())).collect()
}

fn line_rows(line: &Line, places: u8) -> Vec<Row> {
    let amount = |it: Decimal| written(it, places);
    let number = |it: Option<Decimal>| it.map_or_else(String::new, |it| it.normalize().to_string());
    let cells = [
        line.description.clone(),
        line.unit.clone().unwrap_or_default(),
        number(line.quantity),
        line.unit_price.map_or_else(String::new, amount),
        line.exact.map_or_else(String::new, amount),
        amount(line.amount),
    ];
    let details = line.details.iter().map(|it| {
        let cells = [
            it.description.clone(),
            String::new(),
            number(it.quantity),
            amount(it.price),
            amount(it.amount),
            String::new(),
        ];
        Row { detail: true, cells }
    });
    std::iter::once(Row { detail: false, cells }).chain(details).collect()
}

/// What was used, one text each.
fn counted(unrated: &Unrated) -> Vec<String> {
    let one = |it: &super::Counted| {
        let unit = it.unit.as_deref().map_or_else(String::new, |unit| format!(" {unit}"));
        format!("{}: {}{unit}", it.meter, it.quantity.normalize())
    };
    let mut all: Vec<String> = unrated.usage.iter().map(one).collect();
    if unrated.days > 0 {
        all.push(format!("days in force: {}", unrated.days));
    }
    if unrated.drawn != 0 {
        all.push(format!("drawn from credit: {}", crate::money::from_nanos(unrated.drawn)));
    }
    all
}
