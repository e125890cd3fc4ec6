//! What a client wants to get, and what it sends.

use sluice_sdk::prelude::*;

use crate::config::Streaming;

impl Streaming {
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Ndjson => "application/x-ndjson",
            Self::Sse => "text/event-stream",
            Self::Array => "application/json",
        }
    }

    /// What `Accept` wants most of what there is.
    pub(crate) fn wanted(accept: &str) -> Option<Self> {
        let mut best = None;
        for range in accept.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let form = match parts.next().unwrap_or_default().to_ascii_lowercase().as_str() {
                "application/x-ndjson"
                | "application/ndjson"
                | "application/jsonl"
                | "application/x-jsonlines" => Self::Ndjson,
                "text/event-stream" => Self::Sse,
                "application/json" => Self::Array,
                _ => continue,
            };
            let quality = parts.find_map(|part| part.strip_prefix("q=")?.parse::<f32>().ok()).unwrap_or(1.0);
            if quality > 0.0 && best.is_none_or(|(_, known)| quality > known) {
                best = Some((form, quality));
            }
        }
        best.map(|(form, _)| form)
    }
}

/// Whether a content type says JSON.
pub(crate) fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    matches!(essence.as_str(), "application/json" | "text/json")
        || essence.ends_with("+json")
        || is_lines(&essence)
}

fn is_lines(essence: &str) -> bool {
    matches!(essence, "application/x-ndjson" | "application/ndjson" | "application/jsonl")
}

/// Whether a message says that it is gRPC's, gRPC-Web's included.
pub(crate) fn is_grpc(headers: Headers<'_>) -> bool {
    headers.get("content-type").is_some_and(|value| {
        let value = value.as_bytes();
        let prefix = b"application/grpc";
        value.len() >= prefix.len() && value[..prefix.len()].eq_ignore_ascii_case(prefix)
    })
}

/// How long a request says that it may take: seconds, or a duration with its unit.
pub(crate) fn timeout(text: &str) -> Option<std::time::Duration> {
    if let Ok(duration) = text.parse::<Duration>() {
        return Some(duration.get());
    }
    let seconds: f64 = text.parse().ok()?;
    std::time::Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_chooses_the_form_of_streams() {
        for (accept, form) in [
            ("*/*", None),
            ("", None),
            ("text/html", None),
            ("application/json", Some(Streaming::Array)),
            ("text/event-stream", Some(Streaming::Sse)),
            ("Application/X-NDJSON; charset=utf-8", Some(Streaming::Ndjson)),
            ("application/json;q=0.5, text/event-stream", Some(Streaming::Sse)),
            ("application/json, text/event-stream", Some(Streaming::Array)),
            ("text/event-stream;q=0, */*", None),
        ] {
            assert_eq!(Streaming::wanted(accept), form, "{accept}");
        }
    }

    #[test]
    fn timeouts_are_seconds_or_have_a_unit() {
        for (text, millis) in
            [("5", Some(5_000)), ("0.25", Some(250)), ("250ms", Some(250)), ("1m", Some(60_000))]
        {
            assert_eq!(timeout(text).map(|timeout| timeout.as_millis()), millis, "{text}");
        }
        for text in ["", "x", "-1", "NaN", "inf", "1e400"] {
            assert_eq!(timeout(text), None, "{text}");
        }
    }
}
