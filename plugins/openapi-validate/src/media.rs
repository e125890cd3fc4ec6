//! Media types and ranges (RFC 9110 section 8.3): which declared one a message's is.

/// A media type or range, taken apart. Names are lower-case.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Media {
    main: String,
    sub: String,
    parameters: Vec<(String, String)>,
}

/// How the content is read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Syntax {
    Json,
    Form,
    Text,
    /// Not read: only the media type itself is checked.
    Opaque,
}

impl Media {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = pieces(text).into_iter();
        let essence = parts.next()?.trim().to_ascii_lowercase();
        let (main, sub) = essence.split_once('/')?;
        let is_name =
            |name: &str| !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c == '/');
        if !is_name(main) || !is_name(sub) {
            return None;
        }
        let parameters = parts.filter_map(|part| {
            let (name, value) = part.trim().split_once('=')?;
            Some((name.trim().to_ascii_lowercase(), unquoted(value.trim())))
        });
        Some(Self { main: main.to_owned(), sub: sub.to_owned(), parameters: parameters.collect() })
    }

    /// How narrowly this declared range matches `actual`; `None` if it does not.
    fn matches(&self, actual: &Self) -> Option<usize> {
        let own = match (self.main.as_str(), self.sub.as_str()) {
            ("*", "*") => 0,
            (main, "*") if main == actual.main => 1,
            (main, sub) if main == actual.main && sub == actual.sub => 2,
            _ => return None,
        };
        let all = self.parameters.iter().all(|(name, value)| {
            actual.parameters.iter().any(|(known, given)| known == name && given.eq_ignore_ascii_case(value))
        });
        all.then(|| own * 100 + self.parameters.len())
    }

    /// Whether plain text is among what this declared range includes.
    pub(crate) fn includes_text(&self) -> bool {
        matches!((self.main.as_str(), self.sub.as_str()), ("*", "*") | ("text", "*" | "plain"))
    }

    pub(crate) fn syntax(&self) -> Syntax {
        match (self.main.as_str(), self.sub.as_str()) {
            ("application" | "text", "json") => Syntax::Json,
            (_, sub) if sub.ends_with("+json") => Syntax::Json,
            ("application", "x-www-form-urlencoded") => Syntax::Form,
            ("text", "plain") => Syntax::Text,
            _ => Syntax::Opaque,
        }
    }
}

/// The place in `declared` of the narrowest range that `actual` matches.
pub(crate) fn narrowest<'a>(declared: impl Iterator<Item = &'a Media>, actual: &Media) -> Option<usize> {
    let matching = declared.enumerate().filter_map(|(at, range)| Some((range.matches(actual)?, at)));
    // Of equals the first.
    matching.max_by_key(|&(narrow, at)| (narrow, std::cmp::Reverse(at))).map(|(_, at)| at)
}

/// Splits at semicolons outside of quotes.
fn pieces(text: &str) -> Vec<&str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(|c| {
        let escapes = quoted && !escaped && c == '\\';
        if c == '"' && !escaped {
            quoted = !quoted;
        }
        escaped = escapes;
        c == ';' && !quoted
    })
    .collect()
}

fn unquoted(value: &str) -> String {
    match value.strip_prefix('"').and_then(|value| value.strip_suffix('"')) {
        Some(value) => value.replace('\\', ""),
        None => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(declared: &[&str], actual: &str) -> Option<usize> {
        let declared: Vec<_> = declared.iter().map(|range| Media::parse(range).unwrap()).collect();
        narrowest(declared.iter(), &Media::parse(actual).unwrap())
    }

    #[test]
    fn the_narrowest_range_wins() {
        let declared = ["*/*", "text/*", "text/plain", "text/plain; charset=utf-8", "application/json"];
        for (actual, at) in [
            ("text/plain;charset=\"UTF-8\"", 3),
            ("Text/Plain", 2),
            ("text/plain; charset=latin1", 2),
            ("text/csv", 1),
            ("application/json; charset=utf-8", 4),
            ("image/png", 0),
        ] {
            assert_eq!(chosen(&declared, actual), Some(at), "{actual}");
        }
        assert_eq!(chosen(&["application/json"], "application/problem+json"), None);
        assert_eq!(chosen(&["application/json; v=1"], "application/json"), None);
    }

    #[test]
    fn what_is_no_media_type_is_none() {
        for text in ["", "json", "/json", "text/", "a b/c", "a/b/c"] {
            assert_eq!(Media::parse(text), None, "{text}");
        }
        let quoted = Media::parse("a/b; x=\"1;\\\"2\"; y=3").unwrap();
        assert_eq!(quoted.parameters, [("x".into(), "1;\"2".into()), ("y".into(), "3".into())]);
    }

    #[test]
    fn json_has_many_names() {
        for (text, syntax) in [
            ("application/json", Syntax::Json),
            ("application/vnd.a.v1+json", Syntax::Json),
            ("application/x-www-form-urlencoded", Syntax::Form),
            ("text/plain", Syntax::Text),
            ("multipart/form-data; boundary=x", Syntax::Opaque),
            ("application/json-seq", Syntax::Opaque),
        ] {
            assert_eq!(Media::parse(text).unwrap().syntax(), syntax, "{text}");
        }
    }
}
