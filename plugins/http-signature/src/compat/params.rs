//! `name="value"` parameters of the older forms, and what they state.

use data_encoding::BASE64;

/// The longest credentials, in bytes.
const MAX_LENGTH: usize = 8 << 10;
/// The most parameters, and the most names in `headers`.
const MAX_COUNT: usize = 64;

/// What a signature of an older form states about itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Params {
    pub(super) keyid: String,
    pub(super) algorithm: Option<String>,
    /// What is covered, in order; none if it does not say.
    pub(super) headers: Option<Vec<String>>,
    pub(super) signature: Vec<u8>,
    pub(super) created: Option<i64>,
    pub(super) expires: Option<i64>,
}

impl Params {
    /// Reads the credentials. `keyid` is the name that the key's id has in this form.
    pub(super) fn read(credentials: &str, keyid: &str) -> Result<Self, String> {
        let mut pairs = pairs(credentials)?;
        let mut take = |name: &str| {
            let at = pairs.iter().position(|(known, _)| known.eq_ignore_ascii_case(name));
            at.map(|at| pairs.swap_remove(at).1)
        };
        let number = |text: Option<String>, name: &str| {
            let parsed = text.map(|text| text.parse::<i64>());
            parsed.transpose().map_err(|_| format!("`{name}` is not a number"))
        };
        let missing = |name: &str| format!("`{name}` is missing");
        let signature = take("signature").ok_or_else(|| missing("signature"))?;
        let signature =
            BASE64.decode(signature.as_bytes()).map_err(|_| "`signature` is not Base64".to_owned())?;
        Ok(Self {
            keyid: take(keyid).ok_or_else(|| missing(keyid))?,
            algorithm: take("algorithm"),
            headers: take("headers").map(|names| self::names(&names)).transpose()?,
            created: number(take("created"), "created")?,
            expires: number(take("expires"), "expires")?,
            signature,
        })
    }
}

fn names(list: &str) -> Result<Vec<String>, String> {
    let names: Vec<&str> = list.split(' ').collect();
    let valid = |name: &&str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic());
    if names.len() > MAX_COUNT || !names.iter().all(valid) {
        return Err("`headers` is not a list of names with a space between each".to_owned());
    }
    let mut sorted: Vec<String> = names.iter().map(|name| name.to_ascii_lowercase()).collect();
    sorted.sort_unstable();
    if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err("`headers` has a name twice".to_owned());
    }
    Ok(names.into_iter().map(str::to_owned).collect())
}

/// Parameters with commas between, each a token and a token or quoted string (RFC 9110 section 11.2). None may be there twice.
fn pairs(text: &str) -> Result<Vec<(String, String)>, String> {
    let unread = || "the signature's parameters cannot be read".to_owned();
    if text.len() > MAX_LENGTH {
        return Err(format!("the signature's parameters are longer than {MAX_LENGTH} bytes"));
    }
    let mut pairs: Vec<(String, String)> = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=').ok_or_else(unread)?;
        let name = name.trim_end();
        let is_name = !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        if !is_name
            || pairs.len() >= MAX_COUNT
            || pairs.iter().any(|(known, _)| known.eq_ignore_ascii_case(name))
        {
            return Err(unread());
        }
        let (value, after) = value(after.trim_start()).ok_or_else(unread)?;
        pairs.push((name.to_owned(), value));
        rest = after.trim_start();
        if let Some(more) = rest.strip_prefix(',') {
            rest = more.trim_start();
        } else if !rest.is_empty() {
            return Err(unread());
        }
    }
    Ok(pairs)
}

/// A value, and what comes after it.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ', '\t']).unwrap_or(text.len());
        let (value, after) = text.split_at(end);
        let is_token = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"');
        return is_token.then(|| (value.to_owned(), after));
    };
    let mut value = String::new();
    let mut letters = quoted.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, &quoted[at + 1..])),
            '\\' => value.push(letters.next()?.1),
            plain => value.push(plain),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parameters_are_read() {
        let params = Params::read(
            r#"keyId="a\"b", algorithm = hs2019 ,headers="x y",created=12, signature="AA==", else="1""#,
            "keyId",
        );
        let expected = Params {
            keyid: "a\"b".to_owned(),
            algorithm: Some("hs2019".to_owned()),
            headers: Some(vec!["x".to_owned(), "y".to_owned()]),
            signature: vec![0],
            created: Some(12),
            expires: None,
        };
        assert_eq!(params, Ok(expected));
    }

    #[test]
    fn what_is_ambiguous_is_refused() {
        for bad in [
            "",
            "keyId",
            "keyId=",
            "keyId=\"a",
            "keyId=\"a\\",
            "keyId=\"a\" signature=\"AA==\"",
            "keyId=\"a\", keyid=\"b\", signature=\"AA==\"",
            "keyId=\"a\", signature=\"AA\"",
            "keyId=\"a\", signature=\"A A==\"",
            "keyId=\"a\", signature=\"AA==\", created=\"x\"",
            "keyId=\"a\", signature=\"AA==\", headers=\"\"",
            "keyId=\"a\", signature=\"AA==\", headers=\"a  b\"",
            "keyId=\"a\", signature=\"AA==\", headers=\"a a\"",
            "keyId=\"a\", signature=\"AA==\", headers=\"a b A\"",
            "keyId=\"a\", signature=\"AA==\", created=1.5",
            "signature=\"AA==\"",
            "k\u{e4}y=\"a\"",
            "=\"a\"",
            ", keyId=\"a\"",
            "keyId=\"a\",, signature=\"AA==\"",
        ] {
            assert!(Params::read(bad, "keyId").is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(text in "[a-zA-Z=\",\\\\ \u{e4}0-9]{0,60}") {
            let _ = Params::read(&text, "keyId");
        }
    }
}
