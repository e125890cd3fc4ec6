//! Paths with names in them.

use percent_encoding::percent_decode_str;
use sluice_sdk::prelude::*;

/// A path such as `/products/{id}`. In order of precedence: literal before named, from left to right.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Template(Vec<Segment>);

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    Literal(String),
    Named(String),
}

impl Template {
    pub(crate) fn parse(path: &str) -> Result<Self> {
        let Some(rest) = path.strip_prefix('/') else { bail!("`{path}` does not begin with `/`") };
        let mut segments = Vec::new();
        for segment in rest.split('/') {
            let name = segment.strip_prefix('{').and_then(|name| name.strip_suffix('}'));
            ensure!(
                !name.unwrap_or(segment).contains(['{', '}', '?', '#']) && name != Some(""),
                "`{path}`: `{segment}` is neither a literal segment nor one such as `{{id}}`"
            );
            segments.push(match name {
                Some(name) => Segment::Named(name.to_owned()),
                None => Segment::Literal(decode(segment).unwrap_or_else(|| segment.to_owned())),
            });
        }
        let template = Self(segments);
        let mut names: Vec<_> = template.names().collect();
        names.sort_unstable();
        ensure!(names.windows(2).all(|pair| pair[0] != pair[1]), "`{path}` has a name twice");
        Ok(template)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|segment| match segment {
            Segment::Named(name) => Some(name.as_str()),
            Segment::Literal(_) => None,
        })
    }

    /// The template without its names: what two of one shape match is the same.
    pub(crate) fn shape(&self) -> Vec<Option<&str>> {
        self.0
            .iter()
            .map(|segment| match segment {
                Segment::Literal(text) => Some(text.as_str()),
                Segment::Named(_) => None,
            })
            .collect()
    }

    /// What stands in a path, given in its segments, where the template has names, decoded.
    pub(crate) fn values(&self, path: &[String]) -> Option<Vec<(&str, String)>> {
        if path.len() != self.0.len() {
            return None;
        }
        let mut values = Vec::new();
        for (segment, text) in self.0.iter().zip(path) {
            match segment {
                Segment::Literal(literal) if literal == text => {}
                Segment::Named(name) if !text.is_empty() => values.push((name.as_str(), text.clone())),
                _ => return None,
            }
        }
        Some(values)
    }
}

/// The segments of a path, decoded; none if they are not UTF-8.
pub(crate) fn segments(path: &str) -> Option<Vec<String>> {
    path.strip_prefix('/')?.split('/').map(decode).collect()
}

fn decode(segment: &str) -> Option<String> {
    percent_decode_str(segment).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_finds_its_values() {
        let template = Template::parse("/a/{b}/c%20d/{e}").unwrap();
        let values = |path: &str| template.values(&segments(path)?);
        let expected = Some(vec![("b", "x/y".to_owned()), ("e", "é".to_owned())]);
        assert_eq!(values("/a/x%2Fy/c%20d/%C3%A9"), expected);
        for path in ["/a/x/c d", "/a//c%20d/e", "/b/x/c%20d/e", "/a/x/c%20d/e/", "/a/%ff/c%20d/e", "a"] {
            assert_eq!(values(path), None, "{path}");
        }
        assert!(Template::parse("/a/{x}").unwrap() > Template::parse("/a/b").unwrap());
        for bad in ["a", "/{}", "/{a", "/a}", "/x{a}", "/{a}/{a}", "/{a}{b}", "/a?b"] {
            assert!(Template::parse(bad).is_err(), "{bad}");
        }
    }
}
