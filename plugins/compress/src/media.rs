//! Which media types are compressed.

use sluice_sdk::prelude::*;

/// The list of the configuration.
pub(crate) struct MediaTypes(Vec<Pattern>);

/// In lower case, as the types that are compared with it.
enum Pattern {
    /// `type/subtype`.
    Exact(String),
    /// `type/` and what the subtype ends with: nothing for `type/*`, the suffix for `type/*+suffix`.
    Ending(String, String),
}

/// It is read as it arrives, so it is compressed only where that is wanted by name.
const EVENT_STREAM: &str = "text/event-stream";

impl MediaTypes {
    pub(crate) fn new(types: &[String]) -> Result<Self> {
        types.iter().map(|text| Pattern::parse(text)).collect::<Result<_>>().map(Self)
    }

    /// Whether the list has the type of a `Content-Type`, whose parameters do not count.
    pub(crate) fn contain(&self, content_type: &str) -> bool {
        let essence = content_type.split(';').next().unwrap_or_default().trim_ascii().to_ascii_lowercase();
        self.0.iter().any(|pattern| pattern.matches(&essence))
    }
}

impl Pattern {
    fn parse(text: &str) -> Result<Self> {
        let lower = text.to_ascii_lowercase();
        let (kind, subtype) = lower.split_once('/').unwrap_or_default();
        let pattern = match subtype.strip_prefix('*') {
            None if is_name(subtype) => Some(Self::Exact(lower.clone())),
            Some("") => Some(Self::Ending(format!("{kind}/"), String::new())),
            Some(suffix) if suffix.strip_prefix('+').is_some_and(is_name) => {
                Some(Self::Ending(format!("{kind}/"), suffix.to_owned()))
            }
            _ => None,
        };
        match pattern {
            Some(pattern) if is_name(kind) => Ok(pattern),
            _ => bail!(
                "`types` has `{}`: a media type is `type/subtype`, `type/*` or `type/*+suffix`",
                text.escape_debug()
            ),
        }
    }

    fn matches(&self, essence: &str) -> bool {
        match self {
            Self::Exact(exact) => essence == exact,
            Self::Ending(kind, suffix) => {
                let subtype =
                    essence.strip_prefix(&**kind).and_then(|subtype| subtype.strip_suffix(&**suffix));
                subtype.is_some_and(|rest| !rest.is_empty()) && essence != EVENT_STREAM
            }
        }
    }
}

/// RFC 6838 section 4.2, in lower case.
fn is_name(text: &str) -> bool {
    let allowed =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"!#$&-^_.+".contains(&byte);
    !text.is_empty() && text.len() <= 127 && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn types(patterns: &[&str]) -> Result<MediaTypes> {
        MediaTypes::new(&patterns.iter().map(|&text| text.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn types_match_in_any_case_and_without_their_parameters() {
        let types = types(&["text/*", "Application/JSON", "application/*+xml"]).unwrap();
        for content_type in [
            "text/html",
            "TEXT/HTML; charset=utf-8",
            "application/json",
            "application/atom+xml ;q=1",
            "text/x",
        ] {
            assert!(types.contain(content_type), "{content_type}");
        }
        for content_type in [
            "image/png",
            "application/jsonp",
            "application/xml",
            "application/+xml",
            "text/",
            "text",
            "",
            ";",
            "x-text/a",
        ] {
            assert!(!types.contain(content_type), "{content_type}");
        }
    }

    #[test]
    fn events_are_meant_only_by_their_name() {
        let event = "text/event-stream; charset=utf-8";
        assert!(!types(&["text/*"]).unwrap().contain(event));
        assert!(types(&["text/*", "text/event-stream"]).unwrap().contain(event));
    }

    #[test]
    fn what_is_no_type_is_refused() {
        for bad in [
            "",
            "text",
            "text/",
            "/html",
            "*/*",
            "text/*html",
            "text/*+",
            "text/html; q=1",
            "a/b/c",
            "te xt/a",
        ] {
            let error = types(&[bad]).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(error.starts_with(&format!("`types` has `{bad}`")), "{bad}: {error}");
        }
    }
}
