//! Paths of requests that a plugin makes up: what the gateway takes, and what should not be sent.

/// Bytes of a request's path and query together, with the `?` between them, that the gateway takes at most.
pub const MAX_TARGET: usize = 65_534;

/// Whether a segment is `.` or `..`, also percent-encoded. Who resolves such a path (RFC 3986 section 5.2.4) leaves the place
/// that it begins with, so a path that is made of what a client sends should have none.
#[must_use]
pub fn has_dot_segments(path: &str) -> bool {
    path.split('/').any(|segment| {
        // Three characters for each dot at most.
        segment.len() <= 6 && matches!(segment.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..")
    })
}

#[cfg(test)]
mod tests {
    use super::has_dot_segments;

    #[test]
    fn dots_are_seen_in_any_writing() {
        for path in ["/..", "/a/../b", "/a/./b", "/a/%2e%2E", "/.%2e/a", "..", "/a/%2E"] {
            assert!(has_dot_segments(path), "{path}");
        }
        for path in ["/", "/a..b", "/...", "/a/..b", "/%2e%2e%2e", "/..;x", "/%252e"] {
            assert!(!has_dot_segments(path), "{path}");
        }
    }
}
