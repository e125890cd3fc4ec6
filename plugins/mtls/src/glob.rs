//! Patterns of names: `*` stands for a part of one, `**` for anything.

use sluice_sdk::prelude::*;

const MAX_PATTERN: usize = 256;

/// A pattern. What a part is depends on the kind of name.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Glob {
    tokens: Vec<Token>,
    parts: Parts,
}

/// What the parts of a kind of names are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Parts {
    /// Where one ends.
    pub(crate) ends: &'static [u8],
    /// Whether a backslash makes what follows it a letter like others: an escaped comma ends nothing.
    pub(crate) escapes: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Token {
    Unit(Unit),
    Part,
    Anything,
}

/// A byte, and whether a backslash stands before it.
type Unit = (bool, u8);

impl Parts {
    fn units(self, text: &str) -> impl Iterator<Item = Unit> {
        let mut bytes = text.bytes();
        std::iter::from_fn(move || match bytes.next()? {
            b'\\' if self.escapes => Some((true, bytes.next().unwrap_or_default())),
            byte => Some((false, byte)),
        })
    }
}

impl Glob {
    pub(crate) fn new(pattern: &str, parts: Parts) -> Result<Self> {
        ensure!(
            !pattern.is_empty() && pattern.len() <= MAX_PATTERN,
            "a pattern has 1 to {MAX_PATTERN} bytes"
        );
        ensure!(!pattern.contains("***"), "`{}`: three stars mean nothing", pattern.escape_debug());
        let mut tokens = Vec::new();
        const STAR: Unit = (false, b'*');
        let mut units = parts.units(pattern).peekable();
        while let Some(unit) = units.next() {
            tokens.push(match unit {
                STAR if units.next_if_eq(&STAR).is_some() => Token::Anything,
                STAR => Token::Part,
                unit => Token::Unit(unit),
            });
        }
        Ok(Self { tokens, parts })
    }

    /// Whether the whole name is as the pattern says. Every place in the pattern that may be next is followed at once, so that no
    /// name takes longer than its length times the pattern's.
    pub(crate) fn matches(&self, name: &str) -> bool {
        let mut places = vec![false; self.tokens.len() + 1];
        let mut next = places.clone();
        self.enter(&mut places, 0);
        for unit in self.parts.units(name) {
            let ends = !unit.0 && self.parts.ends.contains(&unit.1);
            next.fill(false);
            for (place, token) in self.tokens.iter().enumerate().filter(|(place, _)| places[*place]) {
                match token {
                    Token::Unit(expected) if *expected == unit => self.enter(&mut next, place + 1),
                    Token::Part if !ends => self.enter(&mut next, place),
                    Token::Anything => self.enter(&mut next, place),
                    Token::Unit(_) | Token::Part => {}
                }
            }
            if !next.contains(&true) {
                return false;
            }
            std::mem::swap(&mut places, &mut next);
        }
        places[self.tokens.len()]
    }

    /// A star may stand for nothing.
    fn enter(&self, places: &mut [bool], place: usize) {
        let stars = self.tokens[place..].iter().take_while(|token| !matches!(token, Token::Unit(_))).count();
        places[place..=place + stars].fill(true);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PATH: Parts = Parts { ends: b"/", escapes: false };

    fn matches(pattern: &str, name: &str) -> bool {
        Glob::new(pattern, PATH).unwrap().matches(name)
    }

    #[test]
    fn a_star_stays_in_its_part() {
        for (pattern, name, expected) in [
            ("spiffe://a/*", "spiffe://a/b", true),
            ("spiffe://a/*", "spiffe://a/b/c", false),
            ("spiffe://a/*", "spiffe://a/", true),
            ("spiffe://a/**", "spiffe://a/b/c", true),
            ("spiffe://a/**", "spiffe://ab/c", false),
            ("spiffe://a/*/x", "spiffe://a/b/x", true),
            ("spiffe://a/*/x", "spiffe://a/b/c/x", false),
            ("spiffe://a/**/x", "spiffe://a/b/c/x", true),
            ("*a*", "banana", true),
            ("*a*", "b", false),
            ("a", "a", true),
            ("a", "A", false),
            ("a", "ab", false),
            ("a*", "", false),
            ("*", "", true),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
        for bad in ["", "a***b", &"x".repeat(257)] {
            assert!(Glob::new(bad, PATH).is_err());
        }
    }

    #[test]
    fn what_is_escaped_ends_nothing() {
        let parts = Parts { ends: b",+", escapes: true };
        for (pattern, name, expected) in [
            ("CN=*,C=SE", "CN=x,C=SE", true),
            ("CN=*,C=SE", "CN=x\\,C=SE", false),
            ("**,C=SE", "CN=x\\,C=SE", false),
            ("**,C=SE", "CN=x\\\\,C=SE", true),
            ("CN=*", "CN=x\\,C=SE", true),
            ("CN=*", "CN=x,C=SE", false),
            ("CN=*,O=A\\, Inc.", "CN=x,O=A\\, Inc.", true),
            ("CN=x\\", "CN=x\\,", false),
        ] {
            assert_eq!(Glob::new(pattern, parts).unwrap().matches(name), expected, "{pattern} {name}");
        }
    }

    /// The same said with recursion.
    fn model(pattern: &[u8], name: &[u8]) -> bool {
        match pattern {
            [] => name.is_empty(),
            [b'*', b'*', rest @ ..] => (0..=name.len()).any(|taken| model(rest, &name[taken..])),
            [b'*', rest @ ..] => {
                let part = name.iter().position(|byte| *byte == b'/').unwrap_or(name.len());
                (0..=part).any(|taken| model(rest, &name[taken..]))
            }
            [byte, rest @ ..] => name.first() == Some(byte) && model(rest, &name[1..]),
        }
    }

    proptest! {
        #[test]
        fn it_matches_as_its_model_does(pattern in "[ab/*]{1,7}", name in "[ab/]{0,9}") {
            prop_assume!(!pattern.contains("***"));
            prop_assert_eq!(matches(&pattern, &name), model(pattern.as_bytes(), name.as_bytes()));
        }
    }
}
