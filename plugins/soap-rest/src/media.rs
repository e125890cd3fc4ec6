//! Media types with their parameters.

use sluice_sdk::prelude::*;

/// A media type.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct MediaType {
    /// In lower case; empty if there is none.
    pub(crate) essence: String,
    parameters: Vec<(String, String)>,
}

impl MediaType {
    /// That of a message; none if it names several.
    pub(crate) fn of(headers: &Headers<'_>) -> Option<Self> {
        match &headers.get_all("content-type")[..] {
            [] => Some(Self::default()),
            [only] => Some(Self::parse(&String::from_utf8_lossy(only.as_bytes()))),
            _ => None,
        }
    }

    pub(crate) fn parse(text: &str) -> Self {
        let mut parts = split(text).into_iter();
        let essence = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
        let parameters = parts.filter_map(|part| {
            let (name, value) = part.split_once('=')?;
            let value = value.trim();
            let unquoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
            let value = unquoted.map_or_else(|| value.to_owned(), unescaped);
            Some((name.trim().to_ascii_lowercase(), value))
        });
        Self { essence, parameters: parameters.collect() }
    }

    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn is_json(&self) -> bool {
        self.essence == "application/json" || (self.essence.contains('/') && self.essence.ends_with("+json"))
    }

    pub(crate) fn is_xml(&self) -> bool {
        matches!(self.essence.as_str(), "text/xml" | "application/xml" | "application/soap+xml")
    }
}

/// The parts between semicolons that do not stand in quotes.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b';' if !quoted => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

fn unescaped(text: &str) -> String {
    let mut out = String::new();
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        out.push(if c == '\\' { characters.next().unwrap_or(c) } else { c });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read() {
        let media = MediaType::parse("Application/SOAP+xml; Charset=utf-8;action=\"urn:a;b\\\"c\" ; x");
        assert_eq!(media.essence, "application/soap+xml");
        assert_eq!(media.parameter("charset"), Some("utf-8"));
        assert_eq!(media.parameter("action"), Some("urn:a;b\"c"));
        assert_eq!(media.parameter("x"), None);
        assert!(media.is_xml() && !media.is_json());
        assert!(MediaType::parse("application/problem+json").is_json());
        assert!(!MediaType::parse("+json").is_json() && !MediaType::parse("").is_xml());
    }
}
