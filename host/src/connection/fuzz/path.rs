//! Paths, under every set of rules: what was decided stays as it is, and no server reads another path in it.

use super::super::path::decide;
use crate::config::{DotSegments, EmptySegments, PathRules};

/// Any text as the path of a request.
pub(crate) fn path(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let path = format!("/{}", text.strip_prefix('/').unwrap_or(text));
    for dot_segments in [DotSegments::Refuse, DotSegments::Resolve] {
        for empty_segments in [EmptySegments::Refuse, EmptySegments::Merge, EmptySegments::Keep] {
            for (encoded_slashes, parameters) in [(false, false), (false, true), (true, false), (true, true)]
            {
                held(&path, PathRules { dot_segments, empty_segments, encoded_slashes, parameters });
            }
        }
    }
}

fn held(path: &str, rules: PathRules) {
    let Ok(changed) = decide(path, &rules) else { return };
    assert_ne!(changed.as_deref(), Some(path), "a path that is one already is not copied");
    let decided = changed.unwrap_or_else(|| path.to_owned());
    assert_eq!(decide(&decided, &rules), Ok(None), "{path} -> {decided} under {rules:?}");

    assert!(decided.starts_with('/') && decided.bytes().all(|byte| byte.is_ascii_graphic()), "{decided}");
    assert!(!decided.contains(['\\', '?', '#', '"', '<', '>']), "{decided}");
    assert!(rules.parameters || !decided.contains(';'), "{decided}");
    assert!(rules.empty_segments == EmptySegments::Keep || !decided.contains("//"), "{decided}");
    assert!(!decided.to_ascii_lowercase().contains("%2e"), "{decided}");
    let target = http::uri::PathAndQuery::try_from(decided.as_str()).expect("what can be sent");
    assert_eq!((target.path(), target.query()), (decided.as_str(), None));

    let open = decode(&decided);
    assert!(!open.iter().any(u8::is_ascii_control), "{decided}");
    let segments = |path: &[u8]| path.split(|byte| *byte == b'/').count();
    let is_open = decided.contains("%2F") || decided.contains("%5C");
    assert!(rules.encoded_slashes || !is_open, "{decided}");
    if !rules.encoded_slashes {
        assert_eq!(segments(&open), segments(decided.as_bytes()), "{decided}");
        let names =
            open.split(|byte| *byte == b'/').map(|segment| segment.split(|byte| *byte == b';').next());
        assert!(!names.flatten().any(|name| matches!(name, b"." | b"..")), "{decided}");
    }
    let means = match (rules.dot_segments, rules.empty_segments) {
        // One spelling for another: it means what it meant.
        (DotSegments::Refuse, EmptySegments::Refuse | EmptySegments::Keep) => decode(path),
        // The reference, which decodes first, takes an encoded slash for one.
        _ if ["%2f", "%2F", "%5c", "%5C"].iter().any(|slash| path.contains(slash)) => return,
        _ => reference(decode(path), rules),
    };
    assert_eq!(open, means, "{path} -> {decided} under {rules:?}");
}

/// Empty segments left out, and then RFC 3986 section 5.2.4, word for word.
fn reference(mut input: Vec<u8>, rules: PathRules) -> Vec<u8> {
    if rules.empty_segments == EmptySegments::Merge {
        input.dedup_by(|next, before| (*next, *before) == (b'/', b'/'));
    }
    let (mut input, mut output) = (&input[..], Vec::new());
    while !input.is_empty() {
        if input.starts_with(b"/./") {
            input = &input[2..];
        } else if input == b"/." {
            input = b"/";
        } else if input.starts_with(b"/../") || input == b"/.." {
            input = if input.len() > 3 { &input[3..] } else { b"/" };
            output.truncate(output.iter().rposition(|byte| *byte == b'/').expect("never above the root"));
        } else {
            let end = input[1..].iter().position(|byte| *byte == b'/').map_or(input.len(), |at| at + 1);
            output.extend_from_slice(&input[..end]);
            input = &input[end..];
        }
    }
    output
}

/// What stands for bytes is those bytes.
fn decode(path: &str) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::new(), path.as_bytes());
    while let [byte, tail @ ..] = rest {
        rest = tail;
        if *byte == b'%' {
            let (digits, after) = rest.split_at(2);
            out.push(u8::from_str_radix(std::str::from_utf8(digits).expect("digits"), 16).expect("digits"));
            rest = after;
        } else {
            out.push(*byte);
        }
    }
    out
}
