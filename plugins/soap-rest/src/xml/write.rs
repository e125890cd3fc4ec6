//! Writes XML, within bounds.

use super::is_char;
use crate::bounds::Bounds;
use crate::stop::Stop;

/// A document that grows up to the bound. Names come from the configuration, or are checked by who gives them.
#[derive(Debug)]
pub(crate) struct Writer<'b> {
    text: String,
    /// More came than the bound has room for: what was written is gone.
    is_over: bool,
    bounds: &'b Bounds,
}

impl<'b> Writer<'b> {
    pub(crate) fn new(bounds: &'b Bounds) -> Self {
        Self { text: String::new(), is_over: false, bounds }
    }

    pub(crate) fn raw(&mut self, markup: &str) {
        if self.is_over {
            return;
        }
        if markup.len() > self.bounds.size - self.text.len() {
            self.is_over = true;
            self.text = String::new();
            return;
        }
        self.text.push_str(markup);
    }

    /// Begins an element; attributes and [`body`](Self::body) follow.
    pub(crate) fn open(&mut self, name: &str) {
        self.raw("<");
        self.raw(name);
    }

    pub(crate) fn attribute(&mut self, name: &str, value: &str) {
        self.raw(" ");
        self.raw(name);
        self.raw("=\"");
        escape_into(value, true, |part| self.raw(part));
        self.raw("\"");
    }

    /// Ends the attributes.
    pub(crate) fn body(&mut self) {
        self.raw(">");
    }

    pub(crate) fn text(&mut self, text: &str) {
        escape_into(text, false, |part| self.raw(part));
    }

    pub(crate) fn close(&mut self, name: &str) {
        self.raw("</");
        self.raw(name);
        self.raw(">");
    }

    /// An element with nothing but a text.
    pub(crate) fn element(&mut self, name: &str, text: &str) {
        self.open(name);
        self.body();
        self.text(text);
        self.close(name);
    }

    /// Fails once more came than there is room for: whoever writes on and on asks now and then.
    pub(crate) fn check(&self) -> Result<(), Stop> {
        if self.is_over { Err(Stop::TooLarge(self.bounds.too_large())) } else { Ok(()) }
    }

    pub(crate) fn finish(self) -> Result<String, Stop> {
        self.check()?;
        Ok(self.text)
    }
}

/// A text as XML has it between tags and in attributes. What XML has no character for becomes the replacement character: texts whose
/// content matters are checked before.
pub(crate) fn text(text: &str) -> String {
    let mut out = String::new();
    escape_into(text, true, |part| out.push_str(part));
    out
}

fn escape_into(text: &str, is_attribute: bool, mut push: impl FnMut(&str)) {
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
        push(&text[start..at]);
        push(escaped);
        start = at + c.len_utf8();
    }
    push(&text[start..]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::bounds::Bounds;
    use crate::xml::parse;

    #[test]
    fn it_grows_no_further_than_the_bound() {
        let bounds = Bounds { size: 12, ..Bounds::default() };
        let mut writer = Writer::new(&bounds);
        writer.element("a", "&");
        assert_eq!(writer.check(), Ok(()));
        assert_eq!(writer.text, "<a>&amp;</a>");
        writer.raw("x");
        let over = Stop::TooLarge(bounds.too_large());
        assert_eq!((writer.check(), writer.text.capacity()), (Err(over), 0));
        writer.raw("x");
        assert!(writer.finish().is_err());
        let mut writer = Writer::new(&bounds);
        writer.text(&"&".repeat(1000));
        assert!(writer.text.capacity() <= 32 && writer.finish().is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(text in any::<String>(), value in "[ -~\t\r\n&<>'\"é]{0,20}") {
            let bounds = Bounds::default();
            let mut writer = Writer::new(&bounds);
            writer.open("a");
            writer.attribute("b", &value);
            writer.body();
            writer.text(&text);
            writer.close("a");
            let expected: String = text.chars().map(|c| if is_char(c) { c } else { '\u{fffd}' }).collect();
            let root = parse(&writer.finish().unwrap(), &bounds).unwrap();
            prop_assert_eq!((root.text.as_str(), root.attribute("", "b")), (expected.as_str(), Some(value.as_str())));
        }
    }
}
