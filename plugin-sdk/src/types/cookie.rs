//! `Cookie` headers: `name=value; name=value` (RFC 6265 section 4.2.1).

/// Every value of a cookie, without the quotes around it.
pub(crate) fn all<'h>(header: &'h [u8], name: &str) -> impl Iterator<Item = &'h [u8]> {
    header.split(|&byte| byte == b';').filter_map(move |pair| {
        let (key, value) = pair.split_at(pair.iter().position(|&byte| byte == b'=')?);
        (key.trim_ascii() == name.as_bytes()).then(|| unquoted(value[1..].trim_ascii()))
    })
}

/// The header without cookies of this name; `None` if there are none.
pub(crate) fn without(header: &[u8], name: &str) -> Option<Vec<u8>> {
    let is_named = |pair: &&[u8]| {
        let key = pair.split(|&byte| byte == b'=').next().unwrap_or_default();
        key.trim_ascii() == name.as_bytes()
    };
    let pairs = || header.split(|&byte| byte == b';');
    pairs().any(|pair| is_named(&pair)).then(|| {
        let kept: Vec<_> = pairs().filter(|pair| !is_named(pair)).map(<[u8]>::trim_ascii).collect();
        kept.join(&b"; "[..])
    })
}

fn unquoted(value: &[u8]) -> &[u8] {
    value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_by_its_whole_name_each_time_it_is_there() {
        let found = |header: &'static str, name| all(header.as_bytes(), name).collect::<Vec<_>>();
        assert_eq!(found("xkey=1; key=\"a=b\"; key=2; KEY=3", "key"), [&b"a=b"[..], b"2"]);
        assert_eq!(found("key; key=; key = z ;key=\"", "key"), [&b""[..], b"z", b"\""]);
        assert!(found("xkey=1", "key").is_empty());
    }

    #[test]
    fn the_others_stay() {
        assert_eq!(without(b"a=1; key=2;b=3", "key").as_deref(), Some(&b"a=1; b=3"[..]));
        assert_eq!(without(b"key=2", "key").as_deref(), Some(&b""[..]));
        assert_eq!(without(b"a=1", "key"), None);
    }
}
