//! Component identifiers (RFC 9421 section 2): what a signature covers, and what covers what.

use sfv::{BareItem, FieldType as _, Item, Parser};

/// What a signature covers.
#[derive(Clone, Debug)]
pub(crate) struct Component {
    pub(crate) shape: Shape,
    /// As it stands in the signature base: name and parameters, strictly serialised.
    pub(crate) identifier: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Derived(Derived),
    /// A query parameter by its encoded name.
    QueryParam(String),
    Field(String, Form),
}

/// What of a field counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Its values as they are.
    Plain,
    /// The structured field, serialised strictly (`sf`).
    Strict,
    /// A member of the dictionary that it is (`key`).
    Member(String),
    /// Its values, each wrapped into a byte sequence (`bs`).
    Wrapped,
}

/// Components that are no fields (section 2.2), as far as they are a request's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Derived {
    Method,
    TargetUri,
    Authority,
    Scheme,
    RequestTarget,
    Path,
    Query,
}

impl Derived {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "@method" => Self::Method,
            "@target-uri" => Self::TargetUri,
            "@authority" => Self::Authority,
            "@scheme" => Self::Scheme,
            "@request-target" => Self::RequestTarget,
            "@path" => Self::Path,
            "@query" => Self::Query,
            _ => return None,
        })
    }

    /// The sets of components each of which says as much as this one.
    const fn equivalents(self) -> &'static [&'static [Self]] {
        use Derived::{Authority, Method, Path, Query, RequestTarget, Scheme, TargetUri};
        match self {
            Method => &[&[Method]],
            TargetUri => {
                &[&[TargetUri], &[Scheme, Authority, Path, Query], &[Scheme, Authority, RequestTarget]]
            }
            Authority => &[&[Authority], &[TargetUri]],
            Scheme => &[&[Scheme], &[TargetUri]],
            RequestTarget => &[&[RequestTarget], &[TargetUri], &[Path, Query]],
            Path => &[&[Path], &[RequestTarget], &[TargetUri]],
            Query => &[&[Query], &[RequestTarget], &[TargetUri]],
        }
    }
}

/// Parameters of an identifier.
#[derive(Default)]
struct Flags {
    strict: bool,
    wrapped: bool,
    member: Option<String>,
    name: Option<String>,
}

impl Component {
    /// An identifier as an item of `Signature-Input`. `Err` says what is wrong with it.
    pub(crate) fn read(item: &Item) -> Result<Self, String> {
        let BareItem::String(name) = &item.bare_item else {
            return Err("a component identifier is not a string".to_owned());
        };
        let name = name.as_str();
        let identifier = item.serialize();
        let flags = flags(item, &identifier)?;
        let is_derived = name.starts_with('@');
        let unfit = is_derived && (flags.strict || flags.wrapped || flags.member.is_some())
            || flags.name.is_some() != (name == "@query-param");
        if unfit {
            return Err(format!("the parameters of {identifier} do not fit it"));
        }
        let shape = match (Derived::named(name), flags.name) {
            (_, Some(parameter)) => Shape::QueryParam(parameter),
            (Some(derived), None) => Shape::Derived(derived),
            (None, None) if is_derived => return Err(format!("{identifier} is not a component of requests")),
            (None, None) => {
                if !is_field_name(name) {
                    return Err(format!("{identifier} is not a lower-case field name"));
                }
                let form = match (flags.wrapped, flags.member, flags.strict) {
                    (true, ..) => Form::Wrapped,
                    (false, Some(member), _) => Form::Member(member),
                    (false, None, true) => Form::Strict,
                    (false, None, false) => Form::Plain,
                };
                Shape::Field(name.to_owned(), form)
            }
        };
        Ok(Self { shape, identifier })
    }

    /// An identifier as configuration writes it: without quotes around the name, as `@query-param;name="id"`.
    pub(crate) fn configured(text: &str) -> Result<Self, String> {
        let (name, parameters) = text.find(';').map_or((text, ""), |end| (&text[..end], &text[end..]));
        let item = format!("\"{name}\"{parameters}");
        let item = Parser::new(&item).parse::<Item>();
        Self::read(&item.map_err(|_| "it is not a component identifier".to_owned())?)
    }

    /// Whether a field or the query has to be parsed for it.
    pub(crate) const fn is_parsed(&self) -> bool {
        matches!(self.shape, Shape::QueryParam(_) | Shape::Field(_, Form::Strict | Form::Member(_)))
    }

    /// Whether `covered` has this one in it, or what says as much.
    pub(crate) fn is_covered_by(&self, covered: &[Self]) -> bool {
        let has_derived =
            |wanted: &Derived| covered.iter().any(|known| known.shape == Shape::Derived(*wanted));
        let has_all = |derived: Derived| derived.equivalents().iter().any(|all| all.iter().all(has_derived));
        match &self.shape {
            Shape::Derived(derived) => has_all(*derived),
            Shape::QueryParam(_) => {
                covered.iter().any(|known| known.shape == self.shape) || has_all(Derived::Query)
            }
            // All of a field's values say as much as any of its members.
            Shape::Field(name, _) => covered.iter().any(|known| match &known.shape {
                Shape::Field(known, Form::Plain | Form::Strict | Form::Wrapped) => known == name,
                shape => *shape == self.shape,
            }),
        }
    }
}

fn flags(item: &Item, identifier: &str) -> Result<Flags, String> {
    let mut flags = Flags::default();
    for (key, value) in &item.params {
        match (key.as_str(), value) {
            ("sf", BareItem::Boolean(true)) => flags.strict = true,
            ("bs", BareItem::Boolean(true)) => flags.wrapped = true,
            ("key", BareItem::String(member)) => flags.member = Some(member.as_str().to_owned()),
            ("name", BareItem::String(name)) => flags.name = Some(name.as_str().to_owned()),
            ("req", _) => return Err(format!("{identifier}: `req` is for responses")),
            ("tr", _) => return Err(format!("{identifier}: trailers are not available")),
            (other, _) => return Err(format!("{identifier}: the parameter `{other}` is not understood")),
        }
    }
    if flags.wrapped && (flags.strict || flags.member.is_some()) {
        return Err(format!("{identifier}: `bs` goes with neither `sf` nor `key`"));
    }
    Ok(flags)
}

pub(crate) fn is_field_name(name: &str) -> bool {
    let allowed =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covered(names: &[&str]) -> Vec<Component> {
        names.iter().map(|name| Component::configured(name).unwrap()).collect()
    }

    #[test]
    fn identifiers_are_read_strictly() {
        for good in [
            "@method",
            "content-type",
            "a;sf",
            "a;key=\"b\"",
            "a;sf;key=\"b\"",
            "a;bs",
            "@query-param;name=\"a\"",
        ] {
            let component = Component::configured(good).unwrap();
            let (name, rest) =
                good.split_once(';').map_or((good, String::new()), |(name, rest)| (name, format!(";{rest}")));
            assert_eq!(component.identifier, format!("\"{name}\"{rest}"));
        }
        for bad in [
            "",
            "@status",
            "@Method",
            "@signature-params",
            "@unknown",
            "Date",
            "a b",
            "a:",
            "@query-param",
            "date;name=\"a\"",
            "@method;sf",
            "@path;key=\"a\"",
            "@query-param;name=\"a\";bs",
            "a;bs;sf",
            "a;bs;key=\"b\"",
            "a;req",
            "a;tr",
            "@method;req",
            "a;unknown",
            "a;sf=?0",
            "a;key=b",
            "a;sf=1",
            "@query-param;name=a",
            "a\"",
            "a\";x",
            "a;",
        ] {
            assert!(Component::configured(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn what_says_as_much_covers() {
        for (wanted, by) in [
            ("@path", &["@target-uri"][..]),
            ("@path", &["@request-target"]),
            ("@query", &["@request-target"]),
            ("@authority", &["@target-uri"]),
            ("@target-uri", &["@scheme", "@authority", "@path", "@query"]),
            ("@request-target", &["@path", "@query"]),
            ("@query-param;name=\"a\"", &["@query"]),
            ("date", &["date;bs"]),
            ("a;key=\"b\"", &["a"]),
        ] {
            assert!(Component::configured(wanted).unwrap().is_covered_by(&covered(by)), "{wanted} by {by:?}");
        }
        for (wanted, by) in [
            ("@target-uri", &["@authority", "@path", "@query"][..]),
            ("@query", &["@path", "@query-param;name=\"a\""]),
            ("@authority", &["host", "@path", "@query", "@request-target", "@scheme"]),
            ("@path", &["@query", "@authority"]),
            ("@scheme", &["@authority", "@request-target"]),
            ("@method", &["@target-uri"]),
            ("a", &["a;key=\"b\""]),
            ("a;key=\"c\"", &["a;key=\"b\""]),
            ("date", &[]),
        ] {
            assert!(
                !Component::configured(wanted).unwrap().is_covered_by(&covered(by)),
                "{wanted} by {by:?}"
            );
        }
    }
}
