//! JSON Pointer (RFC 6901).

use std::fmt;

use sluice_sdk::prelude::*;

use super::{Json, MAX_DEPTH};

/// A parsed pointer: its reference tokens, unescaped.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pointer {
    text: String,
    tokens: Vec<String>,
}

impl Pointer {
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let tokens = match text.strip_prefix('/') {
            None if text.is_empty() => Vec::new(),
            None => bail!("`{text}` is not a JSON Pointer: it is empty or begins with `/`"),
            Some(rest) => rest.split('/').map(unescape).collect::<Option<Vec<_>>>().context(format_args!(
                "`{text}` is not a JSON Pointer: `~` stands for itself only as `~0`, `/` as `~1`"
            ))?,
        };
        ensure!(tokens.len() <= MAX_DEPTH, "a pointer has more than {MAX_DEPTH} tokens");
        Ok(Self { text: text.to_owned(), tokens })
    }

    pub(crate) fn tokens(&self) -> &[String] {
        &self.tokens
    }

    /// Whether `other` is at this place or within it.
    pub(crate) fn holds(&self, other: &Self) -> bool {
        other.tokens.starts_with(&self.tokens)
    }

    pub(crate) fn find<'v, 'a>(&self, root: &'v Json<'a>) -> Option<&'v Json<'a>> {
        self.tokens.iter().try_fold(root, |value, token| match value {
            Json::Array(items) => items.get(index(token)?),
            _ => value.member(token),
        })
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn unescape(token: &str) -> Option<String> {
    let mut unescaped = String::with_capacity(token.len());
    let mut characters = token.chars();
    while let Some(character) = characters.next() {
        unescaped.push(match character {
            '~' => match characters.next()? {
                '0' => '~',
                '1' => '/',
                _ => return None,
            },
            other => other,
        });
    }
    Some(unescaped)
}

/// A token as an array's index: digits without a leading zero.
pub(crate) fn index(token: &str) -> Option<usize> {
    let digits = token.bytes().all(|byte| byte.is_ascii_digit());
    if !digits || (token.len() > 1 && token.starts_with('0')) { None } else { token.parse().ok() }
}

/// A child to change.
pub(crate) fn child_mut<'v, 'a>(value: &'v mut Json<'a>, token: &str) -> Option<&'v mut Json<'a>> {
    match value {
        Json::Array(items) => items.get_mut(index(token)?),
        Json::Object(members) => members.iter_mut().find(|(name, _)| name == token).map(|(_, value)| value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Json<'_> {
        super::super::parse(text.as_bytes(), super::super::LEAST_BUDGET).unwrap()
    }

    /// RFC 6901 section 5.
    #[test]
    fn the_rfcs_examples_resolve() {
        let text =
            r#"{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\j":5,"k\"l":6," ":7,"m~n":8}"#;
        let root = read(text);
        for (pointer, value) in [
            ("", text),
            ("/foo", r#"["bar","baz"]"#),
            ("/foo/0", r#""bar""#),
            ("/", "0"),
            ("/a~1b", "1"),
            ("/c%d", "2"),
            ("/e^f", "3"),
            ("/g|h", "4"),
            ("/i\\j", "5"),
            ("/k\"l", "6"),
            ("/ ", "7"),
            ("/m~0n", "8"),
        ] {
            let found = Pointer::parse(pointer).unwrap();
            let expected = read(value);
            assert_eq!(found.find(&root), Some(&expected), "{pointer}");
        }
        for missing in ["/foo/2", "/foo/00", "/foo/-", "/foo/1e0", "/x", "/foo/0/x"] {
            assert_eq!(Pointer::parse(missing).unwrap().find(&root), None, "{missing}");
        }
    }

    #[test]
    fn what_is_no_pointer_is_refused() {
        for (text, reason) in [("a", "begins with `/`"), ("/~2", "`~0`"), ("/a~", "`~0`")] {
            let error = Pointer::parse(text).unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
