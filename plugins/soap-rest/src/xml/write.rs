//! Writes XML.

use super::is_char;

/// A document that grows. Names come from the configuration, or are checked by who gives them.
#[derive(Debug, Default)]
pub(crate) struct Writer(String);

impl Writer {
    pub(crate) fn raw(&mut self, markup: &str) {
        self.0.push_str(markup);
    }

    /// Begins an element; attributes and [`body`](Self::body) follow.
    pub(crate) fn open(&mut self, name: &str) {
        self.0.push('<');
        self.0.push_str(name);
    }

    pub(crate) fn attribute(&mut self, name: &str, value: &str) {
        self.0.push(' ');
        self.0.push_str(name);
        self.0.push_str("=\"");
        escape_into(&mut self.0, value, true);
        self.0.push('"');
    }

    /// Ends the attributes.
    pub(crate) fn body(&mut self) {
        self.0.push('>');
    }

    pub(crate) fn text(&mut self, text: &str) {
        escape_into(&mut self.0, text, false);
    }

    pub(crate) fn close(&mut self, name: &str) {
        self.0.push_str("</");
        self.0.push_str(name);
        self.0.push('>');
    }

    /// An element with nothing but a text.
    pub(crate) fn element(&mut self, name: &str, text: &str) {
        self.open(name);
        self.body();
        self.text(text);
        self.close(name);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn finish(self) -> String {
        self.0
    }
}

/// A text as XML has it between tags and in attributes. What XML has no character for becomes the replacement character: texts whose
/// content matters are checked before.
pub(crate) fn text(text: &str) -> String {
    let mut out = String::new();
    escape_into(&mut out, text, true);
    out
}

fn escape_into(out: &mut String, text: &str, is_attribute: bool) {
    let mut start = 0;
    for (at, c) in text.char_indices() {
        let escaped = match c {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            '\r' => "&#13;",
            '"' if is_attribute => "&quot;",
            '\n' if is_attribute => "&#10;",
            '\t' if is_attribute => "&#9;",
            c if is_char(c) => continue,
            _ => "\u{fffd}",
        };
        out.push_str(&text[start..at]);
        out.push_str(escaped);
        start = at + c.len_utf8();
    }
    out.push_str(&text[start..]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::bounds::Bounds;
    use crate::xml::parse;

    proptest! {
        #[test]
        fn what_is_written_is_read(text in any::<String>(), value in "[ -~\t\r\n&<>'\"é]{0,20}") {
            let mut writer = Writer::default();
            writer.open("a");
            writer.attribute("b", &value);
            writer.body();
            writer.text(&text);
            writer.close("a");
            let expected: String = text.chars().map(|c| if is_char(c) { c } else { '\u{fffd}' }).collect();
            let root = parse(&writer.finish(), &Bounds::default()).unwrap();
            prop_assert_eq!((root.text.as_str(), root.attribute("", "b")), (expected.as_str(), Some(value.as_str())));
        }
    }
}
