//! Which path template a path is an instance of: literal ones before templated ones.

use std::collections::{BTreeMap, BTreeSet};

use percent_encoding::percent_decode_str;
use sluice_sdk::prelude::*;

/// Path templates and what they lead to.
pub(crate) struct Router<T> {
    /// By number of segments, in the order in which they are tried.
    templates: BTreeMap<usize, Vec<(Template, T)>>,
}

/// A path template, taken apart.
struct Template(Vec<Segment>);

/// The order is that of precedence: literal before templated, and so from left to right.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    Literal(String),
    /// Texts around expressions: `a{x}b{y}` is `a`, `x`, `b`, `y` and an empty end.
    Mixed(Vec<(String, String)>, String),
    Expression(String),
}

/// The values that a path gave to the expressions of its template, still percent-encoded.
pub(crate) type PathValues = Vec<(String, String)>;

impl<T: Clone> Router<T> {
    pub(crate) fn new() -> Self {
        Self { templates: BTreeMap::new() }
    }

    /// Adds a template. Returns what those lead to that are identical but for the names in them: OpenAPI does not want them,
    /// but documents have them for different methods.
    pub(crate) fn add(&mut self, path: &str, leads_to: T) -> Result<Vec<T>> {
        let template = Template::parse(path)?;
        let same = self.templates.entry(template.0.len()).or_default();
        let shape = template.shape();
        let identical = same.iter().filter(|(known, _)| known.shape() == shape);
        let identical = identical.map(|(_, leads_to)| leads_to.clone()).collect();
        let at = same.partition_point(|(known, _)| known.shape() <= shape);
        same.insert(at, (template, leads_to));
        Ok(identical)
    }

    /// Where a path leads: to one place, but for identical templates.
    pub(crate) fn find(&self, path: &str) -> Vec<(&T, PathValues)> {
        let Some(path) = path.strip_prefix('/') else { return Vec::new() };
        let segments: Vec<_> = path.split('/').collect();
        let decoded: Vec<_> =
            segments.iter().map(|segment| percent_decode_str(segment).decode_utf8_lossy()).collect();
        // Whoever resolves these ends up at another path than the one that was checked.
        if decoded.iter().any(|segment| segment == "." || segment == "..") {
            return Vec::new();
        }
        let candidates = self.templates.get(&segments.len()).map_or(&[][..], Vec::as_slice);
        let matches = |template: &Template| {
            let mut values = PathValues::new();
            let mut parts = template.0.iter().zip(segments.iter().zip(&decoded));
            parts.all(|(part, (raw, decoded))| part.matches(raw, decoded, &mut values)).then_some(values)
        };
        let Some(first) = candidates.iter().position(|(template, _)| matches(template).is_some()) else {
            return Vec::new();
        };
        let shape = candidates[first].0.shape();
        let identical = candidates[first..].iter().take_while(|(template, _)| template.shape() == shape);
        identical.filter_map(|(template, leads_to)| Some((leads_to, matches(template)?))).collect()
    }
}

impl Template {
    fn parse(path: &str) -> Result<Self> {
        let Some(rest) = path.strip_prefix('/') else { bail!("path `{path}` does not begin with `/`") };
        let segments: Vec<_> = rest.split('/').map(Segment::parse).collect::<Option<_>>().unwrap_or_default();
        ensure!(!segments.is_empty(), "path `{path}` has an expression without an end or a name");
        let names: Vec<_> = segments.iter().flat_map(Segment::names).collect();
        let once: BTreeSet<_> = names.iter().collect();
        ensure!(once.len() == names.len(), "path `{path}` has two expressions of one name");
        Ok(Self(segments))
    }

    /// The template without the names in it.
    fn shape(&self) -> Vec<Segment> {
        let nameless = |segment: &Segment| match segment {
            Segment::Literal(text) => Segment::Literal(text.clone()),
            Segment::Mixed(pairs, end) => {
                let pairs = pairs.iter().map(|(before, _)| (before.clone(), String::new()));
                Segment::Mixed(pairs.collect(), end.clone())
            }
            Segment::Expression(_) => Segment::Expression(String::new()),
        };
        self.0.iter().map(nameless).collect()
    }
}

impl Segment {
    fn parse(text: &str) -> Option<Self> {
        let mut pairs = Vec::new();
        let mut rest = text;
        while let Some(open) = rest.find('{') {
            let length = rest[open..].find('}')?;
            let name = &rest[open + 1..open + length];
            if name.is_empty() || name.contains('{') {
                return None;
            }
            pairs.push((literal(&rest[..open]), name.to_owned()));
            rest = &rest[open + length + 1..];
        }
        let end = literal(rest);
        Some(match pairs.as_slice() {
            [] => Self::Literal(end),
            [(before, name)] if before.is_empty() && end.is_empty() => Self::Expression(name.clone()),
            _ => Self::Mixed(pairs, end),
        })
    }

    fn names(&self) -> Vec<&str> {
        match self {
            Self::Literal(_) => Vec::new(),
            Self::Mixed(pairs, _) => pairs.iter().map(|(_, name)| name.as_str()).collect(),
            Self::Expression(name) => vec![name],
        }
    }

    fn matches(&self, raw: &str, decoded: &str, values: &mut PathValues) -> bool {
        match self {
            Self::Literal(text) => text == decoded,
            Self::Expression(name) => {
                values.push((name.clone(), raw.to_owned()));
                !raw.is_empty()
            }
            Self::Mixed(pairs, end) => match_mixed(pairs, end, raw, values),
        }
    }
}

fn literal(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// Every expression takes as little as it can, and at least a character; the last takes the rest.
fn match_mixed(pairs: &[(String, String)], end: &str, raw: &str, values: &mut PathValues) -> bool {
    let Some(mut rest) = pairs.first().and_then(|(before, _)| raw.strip_prefix(before.as_str())) else {
        return false;
    };
    for (at, (_, name)) in pairs.iter().enumerate() {
        let first = rest.chars().next().map_or(0, char::len_utf8);
        let length = match pairs.get(at + 1) {
            // Two in a row: the first has a character, the second what is left.
            Some((between, _)) if between.is_empty() => Some(first),
            Some((between, _)) => rest[first..].find(between.as_str()).map(|length| first + length),
            None => rest.strip_suffix(end).map(str::len),
        };
        let Some(length) = length.filter(|&length| length > 0) else { return false };
        values.push((name.clone(), rest[..length].to_owned()));
        rest = &rest[length + pairs.get(at + 1).map_or(0, |(between, _)| between.len())..];
    }
    true
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn router(paths: &[&'static str]) -> Router<&'static str> {
        let mut router = Router::new();
        paths.iter().for_each(|path| assert!(router.add(path, *path).unwrap().is_empty()));
        router
    }

    fn found(router: &Router<&'static str>, path: &str) -> Option<(String, String)> {
        let (to, values) = router.find(path).pop()?;
        let values: Vec<_> = values.iter().map(|(name, value)| format!("{name}={value}")).collect();
        Some(((*to).to_owned(), values.join(" ")))
    }

    #[test]
    fn literal_comes_before_templated() {
        let paths =
            ["/pets/{id}", "/pets/mine", "/{kind}/mine", "/{a}/{b}", "/pets/{id}.{format}", "/", "/pets/"];
        for order in [paths.to_vec(), paths.into_iter().rev().collect()] {
            let router = router(&order);
            for (path, to, values) in [
                ("/pets/mine", "/pets/mine", ""),
                ("/pets/m%69ne", "/pets/mine", ""),
                ("/pets/7", "/pets/{id}", "id=7"),
                ("/pets/a%2Fb", "/pets/{id}", "id=a%2Fb"),
                ("/cats/mine", "/{kind}/mine", "kind=cats"),
                ("/cats/7", "/{a}/{b}", "a=cats b=7"),
                ("/pets/7.json", "/pets/{id}.{format}", "id=7 format=json"),
                ("/pets/7.", "/pets/{id}", "id=7."),
                ("/", "/", ""),
                ("/pets/", "/pets/", ""),
            ] {
                assert_eq!(found(&router, path), Some((to.into(), values.into())), "{path}");
            }
            for path in
                ["/pets", "/a/b/c", "//", "/cats/", "", "pets/7", "/pets/..", "/pets/%2e%2E", "/./mine"]
            {
                assert_eq!(found(&router, path), None, "{path}");
            }
        }
    }

    #[test]
    fn what_is_broken_is_refused_and_what_is_identical_is_told() {
        let mut router = router(&["/a/{b}", "/x{a}y"]);
        assert_eq!(router.add("/a/{c}", "second").unwrap(), ["/a/{b}"]);
        assert_eq!(router.add("/x{b}y", "second").unwrap(), ["/x{a}y"]);
        let both = router.find("/a/7").into_iter().map(|(to, values)| (*to, values[0].0.clone()));
        assert_eq!(both.collect::<Vec<_>>(), [("/a/{b}", "b".to_owned()), ("second", "c".to_owned())]);
        for path in ["a", "/{", "/{}", "/{a{b}}", "/{a}/{a}"] {
            assert!(router.add(path, path).is_err(), "{path}");
        }
        assert!(router.add("/a}", "a brace alone is a character").is_ok());
    }

    proptest! {
        #[test]
        fn any_path_is_matched_or_not(path in "[/a-c.%{}é0-9]{0,20}", template in "/[/a-c.%{}é]{0,12}") {
            let mut router = router(&["/a/{b}.{c}", "/{a}{b}/é{c}", "/{a}"]);
            let _ = router.add(&template, "/any");
            for (_, values) in router.find(&path) {
                prop_assert!(values.iter().all(|(_, value)| !value.is_empty() && path.contains(value.as_str())));
            }
        }
    }
}
