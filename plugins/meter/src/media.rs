//! How a body holds JSON, by its head.

use sluice_sdk::prelude::*;

use crate::stream::Framing;

const LINES: [&str; 5] = [
    "application/x-ndjson",
    "application/ndjson",
    "application/jsonl",
    "application/x-jsonlines",
    "application/json-lines",
];

/// How documents lie in this body; `None` if there are none that can be read.
pub(crate) fn framing(headers: &Headers<'_>) -> Option<Framing> {
    let is_identity = |coding: &HeaderValue| coding.to_string().trim_ascii().eq_ignore_ascii_case("identity");
    if !headers.get_all("content-encoding").iter().all(is_identity) {
        return None;
    }
    by_type(&headers.get("content-type")?.to_string())
}

fn by_type(content_type: &str) -> Option<Framing> {
    let essence = content_type.split(';').next().unwrap_or_default().trim_ascii().to_ascii_lowercase();
    if essence == "application/json" || (essence.contains('/') && essence.ends_with("+json")) {
        Some(Framing::Whole)
    } else if essence == "text/event-stream" {
        Some(Framing::Events)
    } else {
        LINES.contains(&&*essence).then_some(Framing::Lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_told_apart() {
        for (text, expected) in [
            ("application/json", Some(Framing::Whole)),
            ("Application/JSON; charset=utf-8", Some(Framing::Whole)),
            ("application/vnd.api+json", Some(Framing::Whole)),
            ("text/event-stream;charset=utf-8", Some(Framing::Events)),
            ("application/x-ndjson", Some(Framing::Lines)),
            ("application/jsonl", Some(Framing::Lines)),
            ("text/plain", None),
            ("+json", None),
            ("application/jsonp", None),
            ("", None),
        ] {
            assert_eq!(by_type(text), expected, "{text}");
        }
    }
}
