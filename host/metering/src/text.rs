//! Texts that others chose, shown to people and to spreadsheets: nothing in them acts on whoever shows them.

/// Whether a character does something else than to be seen: control characters and those that turn the direction of writing.
fn acts(it: char) -> bool {
    it.is_control()
        || matches!(it, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A text of which nothing acts on whoever shows it.
#[must_use]
pub fn seen(text: &str) -> String {
    text.chars().map(|it| if acts(it) { char::REPLACEMENT_CHARACTER } else { it }).collect()
}

/// Whether a spreadsheet would take a text for a formula, and run it.
#[must_use]
pub fn is_formula(text: &str) -> bool {
    text.trim_start().starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠'])
}

/// A field of RFC 4180 in one line, quoted if it has to be, that no spreadsheet takes for a formula.
#[must_use]
pub fn csv_field(text: &str) -> String {
    let mut text = seen(text);
    if is_formula(&text) {
        text.insert(0, '\'');
    }
    if text.contains([',', '"']) || text.trim() != text {
        return format!("\"{}\"", text.replace('"', "\"\""));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::csv_field;

    #[test]
    fn fields_are_quoted_and_never_formulas() {
        for (text, cell) in [
            ("acme", "acme"),
            ("acme, inc", "\"acme, inc\""),
            ("the \"best\"", "\"the \"\"best\"\"\""),
            ("two\nlines", "two\u{fffd}lines"),
            (" padded", "\" padded\""),
            ("=1+1", "'=1+1"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("  =1", "'  =1"),
            ("\t=1", "\u{fffd}=1"),
            ("=\"a\",b", "\"'=\"\"a\"\",b\""),
            ("＝1", "'＝1"),
            ("a=1", "a=1"),
        ] {
            assert_eq!(csv_field(text), cell, "{text:?}");
        }
    }
}
