//! The path of a request, decided once: what routes, steps and the log see is, byte for byte, what is sent on. Paths that servers read in
//! more than one way are refused, or brought into one form, as the listener says. Pure.

use crate::config::{DotSegments, EmptySegments, PathRules};
use crate::net::alphanumeric_and;

/// What nobody reads in two ways, but for where `.` and `/` stand (RFC 3986 section 3.3, without `;` and `%`).
const PLAIN: [bool; 256] = alphanumeric_and(b"-._~!$&'()*+,=:@/");

/// Visible, and yet no part of a path (RFC 3986 appendix A). Browsers send some of them as they are.
const ENCODED: &[u8] = b"\"<>[]^`{|}";

/// A path that is one already is `None`; else what it becomes.
///
/// # Errors
/// With what makes it ambiguous.
pub(super) fn decide(path: &str, rules: &PathRules) -> Result<Option<String>, &'static str> {
    if is_plain(path.as_bytes()) {
        return Ok(None);
    }
    let encoded = encode(path.as_bytes(), rules)?;
    let decided = arrange(&encoded, rules)?;
    Ok((decided != path).then_some(decided))
}

/// Almost every path.
fn is_plain(path: &[u8]) -> bool {
    let mut before = 0;
    for byte in path {
        if !PLAIN[*byte as usize] || (before == b'/' && matches!(byte, b'/' | b'.')) {
            return false;
        }
        before = *byte;
    }
    true
}

/// One spelling of each character: unreserved ones as they are, digits of triplets in upper case (RFC 3986 section 6.2.2).
fn encode(path: &[u8], rules: &PathRules) -> Result<String, &'static str> {
    let mut out = String::with_capacity(path.len() + 8);
    let mut rest = path;
    while let [byte, tail @ ..] = rest {
        rest = tail;
        match *byte {
            b'%' => {
                let (Some(high), Some(low)) = (digit(rest.first()), digit(rest.get(1))) else {
                    return Err("a `%` in the path is not followed by two hexadecimal digits");
                };
                rest = &rest[2..];
                match high << 4 | low {
                    0..0x20 | 0x7f => return Err("the path has an encoded control character"),
                    b'/' | b'\\' if !rules.encoded_slashes => {
                        return Err("the path has an encoded slash or backslash");
                    }
                    plain if is_unreserved(plain) => out.push(char::from(plain)),
                    other => push_encoded(other, &mut out),
                }
            }
            b'\\' => return Err("the path has a backslash"),
            b';' if !rules.parameters => return Err("the path has parameters behind a `;`"),
            byte if PLAIN[byte as usize] || byte == b';' => out.push(char::from(byte)),
            byte if ENCODED.contains(&byte) => push_encoded(byte, &mut out),
            _ => return Err("the path has a character that has to be encoded"),
        }
    }
    Ok(out)
}

/// Segments that are none, or lead elsewhere.
fn arrange(path: &str, rules: &PathRules) -> Result<String, &'static str> {
    let mut kept: Vec<&str> = Vec::new();
    let segments: Vec<&str> = path.strip_prefix('/').unwrap_or(path).split('/').collect();
    let last = segments.len() - 1;
    // A directory: its path ends in a slash.
    let mut is_open = false;
    for (index, segment) in segments.into_iter().enumerate() {
        is_open = false;
        // Some decode before they look for parameters.
        let name = segment.split(';').next().unwrap_or(segment);
        let name = name.split("%3B").next().unwrap_or(name);
        match segment {
            "" if index == last => is_open = true,
            "" => match rules.empty_segments {
                EmptySegments::Refuse => return Err("the path has an empty segment"),
                EmptySegments::Merge => {}
                EmptySegments::Keep => kept.push(segment),
            },
            _ if name != "." && name != ".." => kept.push(segment),
            _ if rules.dot_segments == DotSegments::Refuse => {
                return Err("the path has a segment `.` or `..`");
            }
            "." => is_open = true,
            ".." => {
                is_open = true;
                kept.pop().ok_or("the path leads above its root")?;
            }
            // To some it is `..`, to others a name.
            _ => return Err("the path has a segment `.` or `..` with parameters"),
        }
    }
    let mut out = String::with_capacity(path.len());
    for segment in &kept {
        out.push('/');
        out.push_str(segment);
    }
    if is_open || kept.is_empty() {
        out.push('/');
    }
    Ok(out)
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

fn digit(byte: Option<&u8>) -> Option<u8> {
    char::from(*byte?).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

fn push_encoded(byte: u8, out: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    out.push('%');
    for digit in [byte >> 4, byte & 15] {
        out.push(char::from(DIGITS[digit as usize]));
    }
}

/// Whether a query is what can be sent: visible characters, and no fragment (RFC 3986 section 3.4, and what browsers leave as it is).
pub(super) fn is_query(query: &str) -> bool {
    query.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Just, Strategy, any, prop, prop_oneof, proptest};

    use super::*;

    const STRICT: PathRules = PathRules {
        dot_segments: DotSegments::Refuse,
        empty_segments: EmptySegments::Refuse,
        encoded_slashes: false,
        parameters: false,
    };

    const MILD: PathRules = PathRules {
        dot_segments: DotSegments::Resolve,
        empty_segments: EmptySegments::Merge,
        encoded_slashes: true,
        parameters: true,
    };

    fn decided(path: &str, rules: &PathRules) -> Option<String> {
        decide(path, rules).ok().map(|changed| changed.unwrap_or_else(|| path.to_owned()))
    }

    #[test]
    fn plain_paths_are_as_they_are() {
        for path in [
            "/",
            "/a",
            "/a/",
            "/a/b.c/d..e/...",
            "/a.b/.c",
            "/!$&'()*+,=:@-._~",
            "/%2B%3B%25%20",
            "/a/.well-known/x",
        ] {
            assert_eq!(decide(path, &STRICT), Ok(None), "{path}");
            assert_eq!(decide(path, &MILD), Ok(None), "{path}");
        }
    }

    #[test]
    fn what_is_read_in_two_ways_is_refused_unless_the_operator_says_which() {
        for (path, mild) in [
            ("//", Some("/")),
            ("//a", Some("/a")),
            ("/a//b", Some("/a/b")),
            ("/a//", Some("/a/")),
            ("/.", Some("/")),
            ("/a/./b", Some("/a/b")),
            ("/a/../b", Some("/b")),
            ("/a/..", Some("/")),
            ("/a/b/..", Some("/a/")),
            ("/a/%2e%2E/b", Some("/b")),
            ("/a/.%2e/b", Some("/b")),
            ("/..", None),
            ("/a/../../b", None),
            ("/a%2fb", Some("/a%2Fb")),
            ("/a%5Cb", Some("/a%5Cb")),
            ("/a;b=c/d", Some("/a;b=c/d")),
            ("/a/..;/b", None),
            ("/a/.;x=y", None),
            ("/a/..%3b/b", None),
            ("/a/%2e%3Bx=y", None),
            ("/a\\b", None),
            ("/a%00", None),
            ("/a%0d%0a", None),
            ("/a%7f", None),
            ("/a%", None),
            ("/a%4", None),
            ("/a%zz", None),
            ("/a%+1", None),
            ("/caf\u{e9}", None),
        ] {
            assert_eq!(decided(path, &STRICT), None, "{path}");
            assert_eq!(decided(path, &MILD).as_deref(), mild, "{path}");
        }
        let keeping = PathRules { empty_segments: EmptySegments::Keep, ..STRICT };
        for path in ["//", "//a", "/a//b", "/a//"] {
            assert_eq!(decide(path, &keeping), Ok(None), "{path}");
        }
    }

    #[test]
    fn each_character_has_one_spelling() {
        for (path, one) in [
            ("/%61dmin", "/admin"),
            ("/%7euser", "/~user"),
            ("/caf%c3%a9", "/caf%C3%A9"),
            ("/a|b", "/a%7Cb"),
            ("/{id}", "/%7Bid%7D"),
            ("/a[0]", "/a%5B0%5D"),
            ("/a%2eb", "/a.b"),
            // Decoded once, it is another character: no server that decodes once takes it for a slash.
            ("/%252f", "/%252f"),
        ] {
            assert_eq!(decided(path, &STRICT).as_deref(), Some(one), "{path}");
        }
    }

    #[test]
    fn queries_are_visible() {
        assert!(is_query("a=b&c=%&d={|}[]\"<>`^\\%zz"));
        for query in ["a b", "a#b", "a\u{e9}", "a\u{1}"] {
            assert!(!is_query(query), "{query}");
        }
    }

    fn piece() -> impl Strategy<Value = String> {
        prop_oneof![
            "[a-z.]{0,3}",
            Just("/".to_owned()),
            Just("..".to_owned()),
            Just("%2e".to_owned()),
            Just("%2F".to_owned()),
            Just(";".to_owned()),
            any::<u8>().prop_map(|byte| format!("%{byte:02x}")),
            "[ -~]{1,2}",
        ]
    }

    proptest! {
        #[test]
        fn what_was_decided_stays_and_leads_nowhere_else(
            pieces in prop::collection::vec(piece(), 0..12),
            resolve in any::<bool>(), merge in any::<bool>(), slashes in any::<bool>(), parameters in any::<bool>(),
        ) {
            let path = format!("/{}", pieces.concat());
            let rules = PathRules {
                dot_segments: if resolve { DotSegments::Resolve } else { DotSegments::Refuse },
                empty_segments: if merge { EmptySegments::Merge } else { EmptySegments::Refuse },
                encoded_slashes: slashes,
                parameters,
            };
            if let Some(decided) = decided(&path, &rules) {
                assert_eq!(decide(&decided, &rules), Ok(None), "{path} -> {decided}");
                assert!(decided.starts_with('/') && !decided.contains("//") && decided.is_ascii());
                // What a server that decodes everything sees has no way up.
                let seen = decided.replace("%2F", "/").replace("%5C", "/");
                let is_dotted = |segment: &str| matches!(segment.split(';').next(), Some("." | ".."));
                assert!(slashes || !seen.split('/').any(is_dotted), "{decided}");
                assert!(slashes || seen == decided);
                assert!(parameters || !decided.contains(';'));
                // The strictest rules take it as it is, but for what these let pass.
                assert_eq!(decide(&decided, &PathRules { encoded_slashes: slashes, parameters, ..STRICT }), Ok(None));
            }
        }
    }
}
