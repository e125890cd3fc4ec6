//! `Cookie` headers: `name=value; name=value` (RFC 6265 section 4.2.1).

/// The first value of a cookie.
pub(crate) fn find<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    header.split(';').find_map(|pair| {
        let (key, value) = pair.trim().split_once('=')?;
        (key == name).then(|| unquoted(value))
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

fn unquoted(value: &str) -> &str {
    value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_by_its_whole_name() {
        assert_eq!(find("xkey=1; key=\"a=b\"; key=2", "key"), Some("a=b"));
        assert_eq!(find("xkey=1", "key"), None);
    }

    #[test]
    fn the_others_stay() {
        assert_eq!(without(b"a=1; key=2;b=3", "key").as_deref(), Some(&b"a=1; b=3"[..]));
        assert_eq!(without(b"key=2", "key").as_deref(), Some(&b""[..]));
        assert_eq!(without(b"a=1", "key"), None);
    }
}
