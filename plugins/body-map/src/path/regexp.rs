//! Regular expressions of `match` and `search`: I-Regexp (RFC 9485), matched by the crate `regex` in linear time.

use regex::{Regex, RegexBuilder};
use sluice_sdk::prelude::*;

use super::Operand;
use crate::json::Json;

/// Bytes that a compiled expression may take: one from the configuration, and one out of a document.
const MAX_CONFIGURED: usize = 1 << 20;
const MAX_FOUND: usize = 64 << 10;

/// Bytes of an expression out of a document. A longer one matches nothing.
const MAX_FOUND_TEXT: usize = 256;

/// The second argument of `match` and `search`.
#[derive(Debug)]
pub(super) enum Pattern {
    /// Written into the path, and compiled with it.
    Fixed(Regex),
    /// Out of the document, or no text: known only when it is there.
    Found(Operand),
}

impl Pattern {
    pub(super) fn new(operand: Operand, whole: bool) -> Result<Self> {
        match &operand {
            Operand::Literal(Json::Text(text)) => {
                let pattern = translate(text, whole).context(format_args!("`{text}` is not an I-Regexp"))?;
                Ok(Self::Fixed(RegexBuilder::new(&pattern).size_limit(MAX_CONFIGURED).build()?))
            }
            _ => Ok(Self::Found(operand)),
        }
    }
}

/// Compiles an expression out of a document; none if it is not one, or too large a one.
pub(super) fn compile(text: &str, whole: bool) -> Option<Regex> {
    if text.len() > MAX_FOUND_TEXT {
        return None;
    }
    let pattern = translate(text, whole).ok()?;
    RegexBuilder::new(&pattern).size_limit(MAX_FOUND).build().ok()
}

/// Writes an I-Regexp as `regex` reads it. What only `regex` knows is refused. `^` and `$` are anchors, as
/// other implementations have them.
fn translate(text: &str, whole: bool) -> Result<String> {
    let mut out = String::from(if whole { "^(?:" } else { "" });
    let mut rest = text.chars().peekable();
    // What a quantifier may follow.
    let mut quantifiable = false;
    while let Some(character) = rest.next() {
        quantifiable = match character {
            '\\' => {
                out.push_str(&escape(&mut rest)?);
                true
            }
            '[' => {
                class(&mut rest, &mut out)?;
                true
            }
            '.' => {
                out.push_str("[^\\n\\r]");
                true
            }
            '(' => {
                ensure!(rest.peek() != Some(&'?'), "`(?` has no meaning in it");
                out.push_str("(?:");
                false
            }
            ')' => {
                out.push(')');
                true
            }
            '*' | '+' | '?' | '{' => {
                ensure!(quantifiable, "`{character}` follows nothing that could be repeated");
                out.push(character);
                if character == '{' {
                    quantity(&mut rest, &mut out)?;
                }
                false
            }
            '|' | '^' | '$' => {
                out.push(character);
                false
            }
            ']' | '}' => bail!("`{character}` has to be written as `\\{character}`"),
            _ => {
                out.push_str(&regex::escape(character.encode_utf8(&mut [0; 4])));
                true
            }
        };
    }
    out.push_str(if whole { ")$" } else { "" });
    Ok(out)
}

type Rest<'t> = std::iter::Peekable<std::str::Chars<'t>>;

fn quantity(rest: &mut Rest<'_>, out: &mut String) -> Result<()> {
    for character in rest.by_ref() {
        ensure!(
            matches!(character, '0'..='9' | ',' | '}'),
            "a quantity is written `{{2}}`, `{{2,}}` or `{{2,3}}`"
        );
        out.push(character);
        if character == '}' {
            return Ok(());
        }
    }
    bail!("a `}}` is missing")
}

/// What follows a backslash.
fn escape(rest: &mut Rest<'_>) -> Result<String> {
    let escaped = rest.next().context("it ends with a backslash")?;
    Ok(match escaped {
        'n' | 'r' | 't' => format!("\\{escaped}"),
        '(' | ')' | '*' | '+' | '-' | '.' | '?' | '[' | '\\' | ']' | '^' | '{' | '|' | '}' | '$' => {
            format!("\\{escaped}")
        }
        'p' | 'P' => {
            ensure!(rest.next() == Some('{'), "`\\{escaped}` is written `\\{escaped}{{Lu}}`");
            let name: String = rest.by_ref().take_while(|character| *character != '}').collect();
            let known = matches!(
                name.as_bytes(),
                [b'C' | b'L' | b'M' | b'N' | b'P' | b'S' | b'Z'] | [b'A'..=b'Z', b'a'..=b'z']
            );
            ensure!(known, "`{name}` is not a general category");
            format!("\\{escaped}{{{name}}}")
        }
        _ => bail!("there is no escape `\\{escaped}`"),
    })
}

/// A class, behind its `[`.
fn class(rest: &mut Rest<'_>, out: &mut String) -> Result<()> {
    out.push('[');
    if rest.next_if_eq(&'^').is_some() {
        out.push('^');
    }
    let mut first = true;
    loop {
        let character = rest.next().context("a `]` is missing")?;
        match character {
            ']' if first => bail!("a class is empty; write `]` as `\\]`"),
            ']' => break,
            '[' => bail!("`[` in a class has to be written as `\\[`"),
            '\\' => out.push_str(&escape(rest)?),
            // At either end it is itself, elsewhere it makes a range.
            '-' if first || rest.peek() == Some(&']') => out.push_str("\\-"),
            '-' => out.push('-'),
            _ => out.push_str(&regex::escape(character.encode_utf8(&mut [0; 4]))),
        }
        first = false;
    }
    out.push(']');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_match_as_i_regexps() {
        for (pattern, text, matches) in [
            ("[a-c]{2,3}", "abc", true),
            ("[a-c]{2,3}", "abcd", false),
            ("a|bc", "bc", true),
            ("a|bc", "abc", false),
            ("[^&&-]", "&", false),
            ("[a&&b]", "&", true),
            ("[-a]", "-", true),
            (r"\p{Nd}+", "12", true),
            ("(ab)+", "abab", true),
            ("x.y", "x\ny", false),
            ("#a b", "#a b", true),
        ] {
            let regex = compile(pattern, true).unwrap();
            assert_eq!(regex.is_match(text), matches, "{pattern} {text}");
        }
    }

    #[test]
    fn what_only_other_dialects_know_is_refused() {
        for pattern in [
            r"\d",
            r"\bx",
            "(?i)a",
            "a*?",
            "a++",
            "*",
            "[[:alpha:]]",
            r"\p{Greek}",
            r"\u0041",
            "a{",
            "a{x}",
            "[]",
            "[",
            "(",
            r"(a)\1",
            "a]",
            "\\",
        ] {
            assert!(compile(pattern, true).is_none(), "{pattern}");
        }
    }

    #[test]
    fn an_expression_of_a_document_is_held_small() {
        assert!(compile(r"(\p{L}{200}){200}", false).is_none());
        assert!(compile(&"a".repeat(MAX_FOUND_TEXT + 1), false).is_none());
    }
}
