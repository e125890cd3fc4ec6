//! XML as this plugin keeps it: elements with their namespaces resolved. What SOAP forbids is refused when it is read.

mod charset;
mod read;
mod write;

use std::rc::Rc;

pub(crate) use charset::{Undecodable, decode};
pub(crate) use read::{Refused, parse};
pub(crate) use write::{Writer, text as escape};

/// The namespace of `xsi:nil`.
pub(crate) const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";
/// The namespace that `xml` stands for.
pub(crate) const XML: &str = "http://www.w3.org/XML/1998/namespace";

/// A name with its namespace, which is empty for none.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Name {
    /// What differs most, and so is compared first.
    pub(crate) local: String,
    pub(crate) namespace: Rc<str>,
}

/// An element.
#[derive(Debug)]
pub(crate) struct Element {
    pub(crate) name: Name,
    pub(crate) attributes: Vec<(Name, String)>,
    pub(crate) children: Vec<Element>,
    /// All text directly within it, comments left out.
    pub(crate) text: String,
    scope: Scope,
}

/// The prefixes that are bound where an element stands.
type Scope = Option<Rc<Binding>>;

#[derive(Debug)]
struct Binding {
    prefix: String,
    namespace: Rc<str>,
    /// How many there are, with this one.
    depth: usize,
    outer: Scope,
}

impl Name {
    pub(crate) fn is(&self, namespace: &str, local: &str) -> bool {
        self.local == local && &*self.namespace == namespace
    }
}

impl Element {
    /// Its elements of this name.
    pub(crate) fn all<'e>(&'e self, namespace: &'e str, local: &'e str) -> impl Iterator<Item = &'e Element> {
        self.children.iter().filter(move |child| child.name.is(namespace, local))
    }

    /// The first element of this name.
    pub(crate) fn child(&self, namespace: &str, local: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name.is(namespace, local))
    }

    pub(crate) fn attribute(&self, namespace: &str, local: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(name, _)| name.is(namespace, local));
        found.map(|(_, value)| value.as_str())
    }

    /// Whether it says that it has no value.
    pub(crate) fn is_nil(&self) -> bool {
        self.attribute(XSI, "nil").is_some_and(|nil| matches!(nil.trim(), "true" | "1"))
    }

    /// The name that its text is, by the prefixes bound here.
    pub(crate) fn qualified_text(&self) -> Option<Name> {
        let text = self.text.trim();
        let (prefix, local) = text.split_once(':').unwrap_or(("", text));
        let namespace = resolve(&self.scope, prefix)?;
        Some(Name { namespace, local: local.to_owned() })
    }

    /// Whether there is nothing but blanks between its elements.
    pub(crate) fn is_blank(&self) -> bool {
        self.text.bytes().all(|byte| byte.is_ascii_whitespace())
    }
}

fn resolve(scope: &Scope, prefix: &str) -> Option<Rc<str>> {
    let mut at = scope;
    while let Some(binding) = at {
        if binding.prefix == prefix {
            return Some(Rc::clone(&binding.namespace));
        }
        at = &binding.outer;
    }
    match prefix {
        "" => Some("".into()),
        "xml" => Some(XML.into()),
        _ => None,
    }
}

/// Whether XML 1.0 can carry the character.
pub(crate) fn is_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// Whether a text is a name without a prefix (NCName of Namespaces in XML 1.0).
pub(crate) fn is_name(text: &str) -> bool {
    let starts = |c: char| {
        matches!(c, 'A'..='Z' | '_' | 'a'..='z' | '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}' | '\u{f8}'..='\u{2ff}'
            | '\u{370}'..='\u{37d}' | '\u{37f}'..='\u{1fff}' | '\u{200c}'..='\u{200d}' | '\u{2070}'..='\u{218f}'
            | '\u{2c00}'..='\u{2fef}' | '\u{3001}'..='\u{d7ff}' | '\u{f900}'..='\u{fdcf}' | '\u{fdf0}'..='\u{fffd}'
            | '\u{10000}'..='\u{effff}')
    };
    let goes_on = |c: char| {
        starts(c)
            || matches!(c, '-' | '.' | '0'..='9' | '\u{b7}' | '\u{300}'..='\u{36f}' | '\u{203f}'..='\u{2040}')
    };
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    if text.bytes().all(is_plain) {
        // Most names are ASCII, which is quicker to see.
        return text.bytes().next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_');
    }
    let mut characters = text.chars();
    characters.next().is_some_and(starts) && characters.all(goes_on)
}
