//! `Cache-Control` (RFC 9111 section 5.2), read so that what cannot be understood makes a response stale, never fresh.

/// Longer times are as good as this one (RFC 9111 section 1.2.2).
const MAX_SECONDS: u64 = 1 << 31;

/// The directives of a message, in order. Names are lower case.
#[derive(Debug, Default)]
pub(crate) struct Directives(Vec<(String, Argument)>);

#[derive(Clone, Debug, PartialEq)]
enum Argument {
    None,
    Token(String),
    Quoted(String),
    /// What is there is no argument.
    Malformed,
}

/// How far a directive that may name fields reaches.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Reach {
    /// It is not there.
    None,
    /// The whole response.
    All,
    /// These fields only, lower case.
    Fields(Vec<String>),
}

impl Directives {
    /// Reads every line of the field. If one of them cannot be read, whatever it may have said, nothing is kept.
    pub(crate) fn read<V: AsRef<[u8]>>(lines: &[V]) -> Self {
        let read = |line: &V| {
            let line = String::from_utf8_lossy(line.as_ref());
            closed_members(&line)?.into_iter().map(directive).collect()
        };
        let directives: Option<Vec<Vec<_>>> = lines.iter().map(read).collect();
        Self(directives.map_or_else(|| vec![("no-store".to_owned(), Argument::None)], |lines| lines.concat()))
    }

    /// `no-cache` and nothing else.
    pub(crate) fn no_cache() -> Self {
        Self(vec![("no-cache".to_owned(), Argument::None)])
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.all(name).next().is_some()
    }

    /// The seconds of a directive: of several the fewest, and none at all of one that is no number.
    pub(crate) fn seconds(&self, name: &str) -> Option<u64> {
        self.all(name)
            .map(|argument| match argument {
                Argument::Token(text) | Argument::Quoted(text) => delta_seconds(text).unwrap_or(0),
                Argument::None | Argument::Malformed => 0,
            })
            .min()
    }

    /// The seconds of a directive that allows any time without an argument, as `max-stale` does.
    pub(crate) fn seconds_or_any(&self, name: &str) -> Option<u64> {
        let is_bare = self.all(name).all(|argument| *argument == Argument::None);
        if is_bare && self.has(name) { Some(MAX_SECONDS) } else { self.seconds(name) }
    }

    /// How far `private` or `no-cache` reaches. What is not a quoted list of field names reaches everything.
    pub(crate) fn reach(&self, name: &str) -> Reach {
        let mut fields = Vec::new();
        for argument in self.all(name) {
            let Argument::Quoted(list) = argument else { return Reach::All };
            let names: Vec<_> = list.split(',').map(|name| name.trim().to_ascii_lowercase()).collect();
            if names.iter().any(String::is_empty) {
                return Reach::All;
            }
            fields.extend(names);
        }
        if fields.is_empty() { Reach::None } else { Reach::Fields(fields) }
    }

    fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a Argument> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, argument)| argument)
    }
}

/// A non-negative number of seconds, as `max-age` and `Age` have it.
pub(crate) fn delta_seconds(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    // A number too large to be one is a very long time.
    is_number.then(|| text.parse().unwrap_or(MAX_SECONDS).min(MAX_SECONDS))
}

/// The members of a list; a comma between quotes does not part them.
pub(crate) fn members(line: &str) -> Vec<&str> {
    split(line).0
}

/// The members of a list; none if a quote in it is not closed, since everything behind that may have meant something.
fn closed_members(line: &str) -> Option<Vec<&str>> {
    let (members, is_closed) = split(line);
    is_closed.then_some(members)
}

fn split(line: &str) -> (Vec<&str>, bool) {
    let mut members = Vec::new();
    let (mut start, mut is_quoted, mut is_escaped) = (0, false, false);
    for (at, byte) in line.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_quoted => is_escaped = true,
            b'"' => is_quoted = !is_quoted,
            b',' if !is_quoted => {
                members.push(line[start..at].trim_matches([' ', '\t']));
                start = at + 1;
            }
            _ => {}
        }
    }
    members.push(line[start..].trim_matches([' ', '\t']));
    members.retain(|member| !member.is_empty());
    (members, !is_quoted)
}

/// A directive; none if its name is no token.
fn directive(member: &str) -> Option<(String, Argument)> {
    let (written, argument) = match member.split_once('=') {
        None => (member, Argument::None),
        Some((name, argument)) => (name, self::argument(argument)),
    };
    let name = written.trim_ascii_end();
    // Blanks before the `=` are no part of the syntax, and others may have read it otherwise.
    let argument = if name.len() < written.len() { Argument::Malformed } else { argument };
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let is_name = !name.is_empty() && name.bytes().all(is_token);
    is_name.then(|| (name.to_ascii_lowercase(), argument))
}

fn argument(text: &str) -> Argument {
    let Some(quoted) = text.strip_prefix('"') else { return Argument::Token(text.to_owned()) };
    let Some(content) = quoted.strip_suffix('"') else { return Argument::Malformed };
    let mut unquoted = String::new();
    let mut characters = content.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => return Argument::Malformed,
            '\\' => match characters.next() {
                Some(escaped) => unquoted.push(escaped),
                None => return Argument::Malformed,
            },
            _ => unquoted.push(character),
        }
    }
    Argument::Quoted(unquoted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_read_with_care() {
        for (line, seconds) in [
            ("max-age=60", Some(60)),
            ("MAX-AGE=60", Some(60)),
            ("max-age=\"60\"", Some(60)),
            ("public , max-age=60,", Some(60)),
            ("max-age=60, max-age=1", Some(1)),
            ("max-age=99999999999999999999999", Some(MAX_SECONDS)),
            ("max-age=-1", Some(0)),
            ("max-age=1.5", Some(0)),
            ("max-age= 60", Some(0)),
            ("max-age", Some(0)),
            ("max-age =60", Some(0)),
            ("x-max-age=60", None),
            ("x=\"max-age=60\"", None),
            ("x=\"a, max-age=60\"", None),
            ("x=\"\\\", max-age=60\"", None),
            ("max-age=\"60\"0", Some(0)),
            ("max-age=\"6\\0\"", Some(60)),
        ] {
            assert_eq!(Directives::read(&[line]).seconds("max-age"), seconds, "{line}");
        }
    }

    #[test]
    fn fields_are_read_only_where_they_are_quoted() {
        let reach = |line| Directives::read(&[line]).reach("private");
        assert_eq!(reach("public"), Reach::None);
        assert_eq!(reach("private"), Reach::All);
        assert_eq!(reach("private=x-a"), Reach::All);
        assert_eq!(reach("private=\"\""), Reach::All);
        assert_eq!(reach("private=\"X-A, b\""), Reach::Fields(vec!["x-a".to_owned(), "b".to_owned()]));
        assert_eq!(reach("private=\"a\", private"), Reach::All);
        for malformed in ["private =\"a\"", "private= \"a\"", "private=\"a\"b", "private=\"a\"b\"c\""] {
            assert_eq!(reach(malformed), Reach::All, "{malformed}");
        }
    }

    #[test]
    fn what_cannot_be_read_may_have_said_anything() {
        for lines in [
            &["max-age=60, private=\"x"][..],
            &["max-age=60, ext=\"a, no-store"],
            &["max-age=60, must-understand, ext=\"a, private"],
            &["max-age=60, no-cache=\"a\"b\""],
            &["max-age=60, ext=a\\\", no-store"],
            &["max-age=60", "ext=\""],
            &["max-age=60; private"],
            &["public; max-age=60"],
            &["max-age=60, =private"],
            &["max-age=60, priv\u{e4}te"],
        ] {
            let read = Directives::read(lines);
            assert!(read.has("no-store") || read.seconds("max-age") == Some(0), "{lines:?}");
            assert!(!read.has("must-understand"), "{lines:?}");
        }
    }

    #[test]
    fn max_stale_may_have_no_end() {
        let any = |line| Directives::read(&[line]).seconds_or_any("max-stale");
        assert_eq!((any("max-stale"), any("max-stale=5"), any("x")), (Some(MAX_SECONDS), Some(5), None));
        assert_eq!((any("max-stale =5"), any("max-stale, max-stale=5")), (Some(0), Some(0)));
    }
}
