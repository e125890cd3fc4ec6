//! Query parameters as components (RFC 9421 section 2.2.8): form-encoded, and encoded anew.

use std::collections::BTreeMap;

/// The values of the parameters with these encoded names, encoded anew, by name. Each has to be there, and once.
pub(super) fn values<'n>(query: &str, wanted: &[&'n str]) -> Result<BTreeMap<&'n str, String>, String> {
    let mut values = BTreeMap::new();
    // By what they are when decoded, so that no name of the query need be encoded.
    let mut names = BTreeMap::new();
    for name in wanted {
        let decoded = decode(name).filter(|decoded| encode(decoded) == **name);
        names.insert(decoded.ok_or_else(missing)?.into_bytes(), *name);
    }
    if names.is_empty() {
        return Ok(values);
    }
    let mut decoded = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        decoded.clear();
        decoded.extend(bytes(name));
        let Some(name) = names.get(decoded.as_slice()) else { continue };
        let value = decode(value).ok_or("a covered query parameter is not UTF-8")?;
        if values.insert(*name, encode(&value)).is_some() {
            return Err("a query parameter that is there more than once cannot be covered alone".to_owned());
        }
    }
    if values.len() < names.len() { Err(missing()) } else { Ok(values) }
}

fn missing() -> String {
    "the query has no such parameter".to_owned()
}

/// What form encoding says.
fn bytes(text: &str) -> impl Iterator<Item = u8> {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let mut rest = text.as_bytes();
    std::iter::from_fn(move || {
        let (byte, after) = rest.split_first()?;
        rest = after;
        Some(match byte {
            b'+' => b' ',
            b'%' => match (digit(after.first()), digit(after.get(1))) {
                (Some(high), Some(low)) => {
                    rest = &after[2..];
                    u8::try_from(high * 16 + low).unwrap_or(b'%')
                }
                _ => b'%',
            },
            plain => *plain,
        })
    })
}

/// The same as text; none if it is not UTF-8. The standard would replace such bytes, so that different queries would be covered by
/// one signature.
fn decode(text: &str) -> Option<String> {
    String::from_utf8(bytes(text).collect()).ok()
}

/// The `application/x-www-form-urlencoded` percent-encode set of the URL standard, with spaces as `%20`.
fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"*-._".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let digit =
                |number: u8| char::from_digit(u32::from(number), 16).unwrap_or('0').to_ascii_uppercase();
            encoded.extend(['%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// One name at a time, each name of the query encoded: what the specification says.
    fn one(query: &str, wanted: &str) -> Result<String, ()> {
        let mut found = None;
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            if decode(name).map(|name| encode(&name)).as_deref() == Some(wanted) {
                let value = encode(&decode(value).ok_or(())?);
                if found.replace(value).is_some() {
                    return Err(());
                }
            }
        }
        found.ok_or(())
    }

    proptest! {
        #[test]
        fn all_at_once_are_as_each_alone(
            query in "([ab%]|%61|%C3%BC|%FF|\\+|=|&){0,12}",
            wanted in proptest::collection::btree_set("[abc]|%20|%C3%BC|%c3%bc|%FF|%61|a%20|\\+", 0..4),
        ) {
            let names: Vec<&str> = wanted.iter().map(String::as_str).collect();
            let each: Result<BTreeMap<&str, String>, ()> =
                names.iter().map(|name| one(&query, name).map(|value| (*name, value))).collect();
            prop_assert_eq!(values(&query, &names).map_err(drop), each);
        }
    }
}
