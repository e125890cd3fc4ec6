//! Templates of paths: `/orders/{id}`.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sluice_sdk::path::has_dot_segments;
use sluice_sdk::prelude::*;

use crate::json::Place;
use crate::shape::place;

/// What stands for itself in a segment and in a query (RFC 3986 section 2.3).
pub(crate) const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A path in which members stand.
#[derive(Debug, PartialEq)]
pub(crate) struct PathTemplate(Vec<Segment>);

#[derive(Debug, PartialEq)]
struct Segment {
    before: String,
    /// The member that stands there.
    member: Option<Place>,
    after: String,
}

impl PathTemplate {
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let rest = text.strip_prefix('/').context(format_args!("`{text}` does not begin with `/`"))?;
        ensure!(!rest.contains(['?', '#']), "`{text}`: query parameters belong into `query`");
        ensure!(!has_dot_segments(text), "`{text}` has a segment `.` or `..`");
        let segments = rest.split('/').map(Segment::parse).collect::<Result<Vec<_>>>();
        let template = Self(segments.context(format_args!("`{text}`"))?);
        let members = template.members();
        for (index, member) in members.iter().enumerate() {
            ensure!(!members[..index].contains(member), "`{text}`: `{{{member}}}` stands there twice");
        }
        Ok(template)
    }

    /// The members in it, in their order.
    pub(crate) fn members(&self) -> Vec<&Place> {
        self.0.iter().filter_map(|segment| segment.member.as_ref()).collect()
    }

    /// The path with these values in their order.
    pub(crate) fn fill(&self, values: &[String]) -> String {
        let mut values = values.iter();
        let mut path = String::new();
        for segment in &self.0 {
            path.push('/');
            path.push_str(&segment.before);
            if segment.member.is_some() {
                let value = values.next().map(String::as_str).unwrap_or_default();
                path.extend(utf8_percent_encode(value, ENCODED));
            }
            path.push_str(&segment.after);
        }
        path
    }

    /// The values that a path has, decoded, if it is one of this template.
    pub(crate) fn values(&self, path: &str) -> Option<Vec<String>> {
        let segments: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
        if segments.len() != self.0.len() {
            return None;
        }
        let mut values = Vec::new();
        for (known, found) in self.0.iter().zip(segments) {
            if known.member.is_none() {
                let same = decoded(found)? == decoded(&known.before)?;
                if !same {
                    return None;
                }
                continue;
            }
            let value = found.strip_prefix(known.before.as_str())?.strip_suffix(known.after.as_str())?;
            values.push(decoded(value).filter(|value| !value.is_empty())?);
        }
        Some(values)
    }

    /// Two templates of the same rank match the same paths. Those with more in them that stands for itself come first, from left
    /// to right.
    pub(crate) fn rank(&self) -> Vec<(u8, String)> {
        let rank = |segment: &Segment| match (&segment.member, segment.before.len() + segment.after.len()) {
            (None, _) => (0, segment.before.clone()),
            (Some(_), 0) => (2, String::new()),
            (Some(_), _) => (1, format!("{}/{}", segment.before, segment.after)),
        };
        self.0.iter().map(rank).collect()
    }
}

fn decoded(text: &str) -> Option<String> {
    percent_decode_str(text).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

impl Segment {
    fn parse(text: &str) -> Result<Self> {
        let literal = |text: &str| {
            let good = text.bytes().all(|byte| byte.is_ascii_graphic() && !b"{}\"<>\\^`|".contains(&byte));
            ensure!(good, "`{text}` cannot stand in a path: percent-encode it");
            Ok(text.to_owned())
        };
        let Some((before, rest)) = text.split_once('{') else {
            return Ok(Self { before: literal(text)?, member: None, after: String::new() });
        };
        let (member, after) = rest.split_once('}').context("a `{` without its `}`")?;
        ensure!(!after.contains('{'), "there can be one `{{...}}` between two `/`");
        Ok(Self { before: literal(before)?, member: Some(place(member)?), after: literal(after)? })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_are_filled_and_taken_apart() {
        let template = PathTemplate::parse("/v1/orders/{order.id}/items/no-{number}.json").unwrap();
        let values = ["a/ü b".to_owned(), "7".to_owned()];
        let path = "/v1/orders/a%2F%C3%BC%20b/items/no-7.json";
        assert_eq!(template.fill(&values), path);
        assert_eq!(template.values(path).as_deref(), Some(&values[..]));
        assert_eq!(template.values("/v%31/orders/x/items/no-7.json").map(|values| values.len()), Some(2));
        for other in [
            "/v1/orders",
            "/v1/orders//items/no-7.json",
            "/v1/orders/x/items/no-.json",
            "/v1/orders/%ff/items/no-7.json",
        ] {
            assert_eq!(template.values(other), None, "{other}");
        }
        assert_eq!(PathTemplate::parse("/").unwrap().values("/"), Some(Vec::new()));
    }

    #[test]
    fn what_is_no_template_is_refused() {
        for (text, why) in [
            ("orders", "begin with `/`"),
            ("/a?b=c", "belong into `query`"),
            ("/{a", "without its `}`"),
            ("/{a}{b}", "one `{...}`"),
            ("/{a}/{a}", "twice"),
            ("/{}", "names with dots"),
            ("/a b", "percent-encode"),
            ("/a/../b", "`..`"),
            ("/a}", "percent-encode"),
        ] {
            let error = PathTemplate::parse(text).unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn what_is_filled_in_comes_out(one in ".{1,8}", other in ".{1,8}") {
            let template = PathTemplate::parse("/a/{one}/b-{other}").unwrap();
            let values = [one, other];
            prop_assert_eq!(template.values(&template.fill(&values)), Some(values.to_vec()));
        }
    }
}
