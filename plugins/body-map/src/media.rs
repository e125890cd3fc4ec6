//! Media types: which bodies are meant.

use sluice_sdk::prelude::*;

/// Which media types are meant.
#[derive(Debug)]
pub(crate) struct MediaTypes {
    /// `type/subtype` or `+suffix`, in lower case.
    known: Vec<String>,
}

/// What a message says of its body's type.
#[derive(Debug, PartialEq)]
pub(crate) enum Declared {
    Meant,
    Other,
    /// Several times: who reads it further on may go by another one.
    Several,
}

impl MediaTypes {
    pub(crate) fn json() -> Self {
        Self { known: ["application/json", "+json"].map(str::to_owned).into() }
    }

    pub(crate) fn only(essence: &str) -> Self {
        Self { known: vec![essence.to_owned()] }
    }

    pub(crate) fn new(types: Vec<String>) -> Result<Self> {
        ensure!(!types.is_empty(), "it is empty: leave it out for `application/json` and `+json`");
        for text in &types {
            let parts =
                text.strip_prefix('+').map_or_else(|| text.split_once('/'), |suffix| Some(("x", suffix)));
            let is_name = |name: &str| {
                !name.is_empty()
                    && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
            };
            let is_type = parts.is_some_and(|(kind, subtype)| is_name(kind) && is_name(subtype));
            ensure!(is_type, "`{text}` is neither `type/subtype` nor `+suffix`");
        }
        let known = types.into_iter().map(|text| text.to_ascii_lowercase()).collect();
        Ok(Self { known })
    }

    pub(crate) fn declared(&self, headers: &Headers<'_>) -> Declared {
        match &headers.get_all("content-type")[..] {
            [] => Declared::Other,
            [only] => self.of(&String::from_utf8_lossy(only.as_bytes())),
            _ => Declared::Several,
        }
    }

    fn of(&self, content_type: &str) -> Declared {
        let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let holds = |known: &String| match known.strip_prefix('+') {
            Some(_) => essence.contains('/') && essence.ends_with(known.as_str()),
            None => essence == *known,
        };
        if self.known.iter().any(holds) { Declared::Meant } else { Declared::Other }
    }

    /// For people.
    pub(crate) fn listed(&self) -> String {
        self.known.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_told_apart() {
        let json = MediaTypes::json();
        for (text, meant) in [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("application/problem+json", true),
            ("application/json-seq", false),
            ("application/jsonp", false),
            ("text/plain; x=+json", false),
            ("+json", false),
            ("", false),
        ] {
            assert_eq!(json.of(text) == Declared::Meant, meant, "{text}");
        }
    }

    #[test]
    fn what_is_no_type_is_refused() {
        let types = MediaTypes::new(vec!["Text/JSON".to_owned(), "+ld".to_owned()]).unwrap();
        assert_eq!(types.of("text/json"), Declared::Meant);
        for bad in ["json", "a/b;c=d", "*/*", "+", "/", " a/b"] {
            assert!(MediaTypes::new(vec![bad.to_owned()]).is_err(), "{bad}");
        }
    }
}
