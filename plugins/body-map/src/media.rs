//! Media types: which bodies are meant.

use sluice_sdk::prelude::*;

/// Types and subtypes, `type/subtype` or `+suffix`, in lower case.
#[derive(Debug)]
pub(crate) struct MediaTypes(Vec<String>);

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
        Self(["application/json", "+json"].map(str::to_owned).into())
    }

    pub(crate) fn only(essence: &str) -> Self {
        Self(vec![essence.to_owned()])
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
        Ok(Self(types.into_iter().map(|text| text.to_ascii_lowercase()).collect()))
    }

    pub(crate) fn declared(&self, headers: &Headers<'_>) -> Declared {
        match &headers.get_all("content-type")[..] {
            [] => Declared::Other,
            [only] if self.hold(&String::from_utf8_lossy(only.as_bytes())) => Declared::Meant,
            [_] => Declared::Other,
            _ => Declared::Several,
        }
    }

    fn hold(&self, content_type: &str) -> bool {
        let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let holds = |known: &String| match known.strip_prefix('+') {
            Some(_) => essence.contains('/') && essence.ends_with(known.as_str()),
            None => essence == *known,
        };
        self.0.iter().any(holds)
    }

    /// For people.
    pub(crate) fn listed(&self) -> String {
        self.0.join(", ")
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
            assert_eq!(json.hold(text), meant, "{text}");
        }
    }

    #[test]
    fn what_is_no_type_is_refused() {
        assert!(MediaTypes::new(vec!["Text/JSON".to_owned(), "+ld".to_owned()]).unwrap().hold("text/json"));
        for bad in ["json", "a/b;c=d", "*/*", "+", "/", " a/b"] {
            assert!(MediaTypes::new(vec![bad.to_owned()]).is_err(), "{bad}");
        }
    }
}
