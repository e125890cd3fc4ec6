//! One page of HTML that loads nothing and runs nothing.

use super::super::{Invoice, Kind, Section, Unrated};
use super::{COLUMNS, NOTHING, NUMBERS, PREVIEW, Row, counted, rows, seen};
use crate::money::written;

const STYLE: &str = include_str!("invoice.css");

pub(super) fn html(invoice: &Invoice) -> String {
    let (consumer, month) = (escaped(&invoice.consumer), invoice.month());
    let (first, last) = invoice.days();
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>Invoice {month}: {consumer}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <h1>Invoice {month}: {consumer}</h1>\n\
         <p><time datetime=\"{first}\">{first}</time> to <time datetime=\"{last}\">{last}</time> (UTC)</p>\n"
    );
    if invoice.preview {
        page.push_str(&format!("<p class=\"preview\">{PREVIEW}</p>\n"));
    }
    for it in &invoice.sections {
        section(&mut page, it);
    }
    for it in &invoice.unrated {
        unrated(&mut page, it);
    }
    for it in &invoice.totals {
        page.push_str(&format!("<p class=\"due\">Due: {it}</p>\n"));
    }
    if invoice.totals.is_empty() {
        page.push_str(&format!("<p class=\"due\">{NOTHING}</p>\n"));
    }
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

fn section(page: &mut String, section: &Section) {
    let (plan, currency) = (escaped(&section.plan), section.currency.code());
    page.push_str(&format!(
        "<div class=\"scroll\" role=\"region\" aria-label=\"Plan {plan}\" tabindex=\"0\">\n<table>\n<caption>Plan {plan} ({currency})</caption>\n<thead>\n<tr>"
    ));
    for (column, name) in COLUMNS.iter().enumerate() {
        page.push_str(&format!("<th scope=\"col\"{}>{name}</th>", class(column)));
    }
    page.push_str("</tr>\n</thead>\n<tbody>\n");
    rows(section).iter().for_each(|it| row(page, it));
    page.push_str("</tbody>\n<tfoot>\n");
    let mut sum = |name: &str, amount| {
        let amount = written(amount, section.currency.places());
        page.push_str(&format!(
            "<tr><th scope=\"row\" colspan=\"5\">{name}</th><td class=\"number\">{amount}</td></tr>\n"
        ));
    };
    if section.lines.iter().any(|line| line.kind == Kind::Credit) {
        sum("Before credit", section.subtotal());
    }
    sum("Due", section.total());
    page.push_str("</tfoot>\n</table>\n</div>\n");
    for note in &section.notes {
        page.push_str(&format!("<p>Note: {}</p>\n", escaped(&note.to_string())));
    }
}

fn row(page: &mut String, row: &Row) {
    let [description, cells @ ..] = &row.cells;
    page.push_str(if row.detail { "<tr class=\"detail\">" } else { "<tr>" });
    page.push_str(&format!("<th scope=\"row\">{}</th>", escaped(description)));
    for (column, cell) in (1..).zip(cells) {
        page.push_str(&format!("<td{}>{}</td>", class(column), escaped(cell)));
    }
    page.push_str("</tr>\n");
}

const fn class(column: usize) -> &'static str {
    if column < NUMBERS { "" } else { " class=\"number\"" }
}

fn unrated(page: &mut String, unrated: &Unrated) {
    let plan = if unrated.plan.is_empty() {
        "No plan".to_owned()
    } else {
        format!("Plan {}", escaped(&unrated.plan))
    };
    page.push_str(&format!("<h2>{plan}</h2>\n<p>{}</p>\n", unrated.why.text()));
    let items = counted(unrated);
    if !items.is_empty() {
        let items: String = items.iter().map(|it| format!("<li>{}</li>\n", escaped(it))).collect();
        page.push_str(&format!("<ul>\n{items}</ul>\n"));
    }
}

/// A text as it is shown, in elements and in quoted attributes.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for it in seen(text).chars() {
        match it {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            it => out.push(it),
        }
    }
    out
}
