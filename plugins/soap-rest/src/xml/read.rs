//! Reads a document into elements, within bounds. No DTD, no entity but the five, no processing instruction.

use std::rc::Rc;

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use super::{Binding, Element, Name, Scope, XML, is_char, is_name, resolve};
use crate::bounds::Bounds;

/// Attributes of one element, and prefixes bound within one another.
const MAX_ATTRIBUTES: usize = 64;
const MAX_BINDINGS: usize = 32;
/// Bytes of a namespace: names are compared with theirs.
const MAX_NAMESPACE: usize = 2 << 10;
const XMLNS: &str = "http://www.w3.org/2000/xmlns/";

/// Why a document was not read.
#[derive(Debug, PartialEq)]
pub(crate) enum Refused {
    /// It is not well-formed.
    Malformed(String),
    /// It has something that SOAP messages must not have.
    Forbidden(&'static str),
    TooComplex(String),
}

/// Reads a document; its root.
pub(crate) fn parse(text: &str, bounds: &Bounds) -> Result<Element, Refused> {
    let mut reader = Reader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    reader.config_mut().check_comments = true;
    let mut tree = Tree { open: Vec::new(), root: None, values: 0, none: "".into(), bounds };
    loop {
        let at = reader.buffer_position();
        let event =
            reader.read_event().map_err(|error| malformed(reader.error_position(), &error.to_string()))?;
        let done = match event {
            Event::Start(start) => tree.open(&start),
            Event::End(_) => tree.close().map_err(str::to_owned).map_err(Fault::Malformed),
            Event::Text(text) => tree.text(&text.xml10_content()),
            Event::CData(text) => tree.cdata(&text.xml10_content()),
            Event::GeneralRef(name) => tree.reference(&name, || name.resolve_char_ref().ok().flatten()),
            Event::Decl(declaration) if at == 0 => match declaration.version() {
                Ok(version) if version == "1.0" => Ok(()),
                _ => Err(Fault::malformed("it is not of version 1.0")),
            },
            Event::Decl(_) => Err(Fault::malformed("a declaration that does not stand at the beginning")),
            Event::DocType(_) => Err(Fault::Forbidden("a document type declaration")),
            Event::PI(_) => Err(Fault::Forbidden("a processing instruction")),
            Event::Comment(text) if text.chars().all(is_char) => Ok(()),
            Event::Comment(_) => Err(Fault::malformed(NO_CHARACTER)),
            Event::Empty(_) => Err(Fault::malformed("an empty element")),
            Event::Eof => break,
        };
        done.map_err(|fault| match fault {
            Fault::Malformed(why) => malformed(at, &why),
            Fault::Forbidden(what) => Refused::Forbidden(what),
            Fault::TooComplex(why) => Refused::TooComplex(why),
        })?;
    }
    let end = u64::try_from(text.len()).unwrap_or(u64::MAX);
    match tree {
        Tree { root: Some(root), open, .. } if open.is_empty() => Ok(root),
        Tree { open, .. } if open.is_empty() => Err(malformed(end, "there is no element")),
        _ => Err(malformed(end, "an element is not closed")),
    }
}

const NO_CHARACTER: &str = "a character that XML does not have";

fn malformed(at: u64, why: &str) -> Refused {
    Refused::Malformed(format!("{why}, at byte {at}"))
}

/// As [`Refused`], without the place.
enum Fault {
    Malformed(String),
    Forbidden(&'static str),
    TooComplex(String),
}

impl Fault {
    fn malformed(why: &str) -> Self {
        Self::Malformed(why.to_owned())
    }
}

struct Tree<'b> {
    open: Vec<Element>,
    root: Option<Element>,
    values: usize,
    /// The namespace that is none.
    none: Rc<str>,
    bounds: &'b Bounds,
}

impl Tree<'_> {
    fn open(&mut self, start: &BytesStart<'_>) -> Result<(), Fault> {
        if self.open.is_empty() && self.root.is_some() {
            return Err(Fault::malformed("there is a second element"));
        }
        if self.open.len() >= self.bounds.depth {
            return Err(Fault::TooComplex(self.bounds.too_deep()));
        }
        self.count()?;
        let mut scope = self.open.last().and_then(|element| element.scope.clone());
        let mut others = Vec::new();
        for (index, attribute) in start.attributes().enumerate() {
            let attribute = attribute.map_err(|error| Fault::Malformed(error.to_string()))?;
            if index >= MAX_ATTRIBUTES {
                let why = format!("an element has more than {MAX_ATTRIBUTES} attributes");
                return Err(Fault::TooComplex(why));
            }
            self.count()?;
            if attribute.value.contains('<') {
                return Err(Fault::malformed("a `<` in the value of an attribute"));
            }
            let value = attribute.normalized_value(XmlVersion::Implicit1_0);
            let value = value.map_err(|_| Fault::Forbidden("an entity other than the five of XML"))?;
            check(&value)?;
            let key: &str = attribute.key.into_inner();
            let prefix = match key.strip_prefix("xmlns") {
                Some("") => "",
                Some(prefix) if prefix.starts_with(':') => &prefix[1..],
                _ => {
                    others.push((key, value));
                    continue;
                }
            };
            scope = bind(scope, prefix, &value)?;
        }
        let name: &str = start.name().into_inner();
        let name = self.qualified(name, &scope, true)?;
        let mut attributes: Vec<(Name, String)> = Vec::with_capacity(others.len());
        for (key, value) in others {
            let name = self.qualified(key, &scope, false)?;
            if attributes.iter().any(|(known, _)| *known == name) {
                return Err(Fault::malformed("an attribute occurs twice"));
            }
            attributes.push((name, value.into_owned()));
        }
        self.open.push(Element { name, attributes, children: Vec::new(), text: String::new(), scope });
        Ok(())
    }

    fn qualified(&self, name: &str, scope: &Scope, is_element: bool) -> Result<Name, Fault> {
        let (prefix, local) =
            name.split_once(':').map_or((None, name), |(prefix, local)| (Some(prefix), local));
        if !is_name(local) || prefix.is_some_and(|prefix| !is_name(prefix)) {
            return Err(Fault::malformed("a name that is none"));
        }
        let namespace = match prefix {
            None if !is_element || scope.is_none() => Rc::clone(&self.none),
            prefix => resolve(scope, prefix.unwrap_or_default())
                .ok_or_else(|| Fault::malformed("a prefix that is not declared"))?,
        };
        Ok(Name { namespace, local: local.to_owned() })
    }

    fn count(&mut self) -> Result<(), Fault> {
        self.values += 1;
        if self.values > self.bounds.values {
            return Err(Fault::TooComplex(self.bounds.too_many()));
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), &'static str> {
        let element = self.open.pop().ok_or("an end without its beginning")?;
        match self.open.last_mut() {
            Some(parent) => parent.children.push(element),
            None => self.root = Some(element),
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), Fault> {
        if text.contains("]]>") {
            return Err(Fault::malformed("`]]>` in a text"));
        }
        self.append(text, text.bytes().all(|byte| b" \t\r\n".contains(&byte)))
    }

    fn cdata(&mut self, text: &str) -> Result<(), Fault> {
        self.append(text, false)
    }

    fn append(&mut self, text: &str, may_be_outside: bool) -> Result<(), Fault> {
        check(text)?;
        match self.open.last_mut() {
            Some(element) => element.text.push_str(text),
            // A byte order mark may come first.
            None if may_be_outside || text == "\u{feff}" => {}
            None => return Err(Fault::malformed("text outside of the element")),
        }
        Ok(())
    }

    fn reference(&mut self, name: &str, number: impl FnOnce() -> Option<char>) -> Result<(), Fault> {
        let character = match name {
            "lt" => '<',
            "gt" => '>',
            "amp" => '&',
            "apos" => '\'',
            "quot" => '"',
            numeric if numeric.starts_with('#') => number().ok_or(Fault::malformed(NO_CHARACTER))?,
            _ => return Err(Fault::Forbidden("an entity other than the five of XML")),
        };
        self.append(character.encode_utf8(&mut [0; 4]), false)
    }
}

fn check(text: &str) -> Result<(), Fault> {
    // Most texts are ASCII, which is quicker to see.
    let is_plain = text.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\n' | b'\t'));
    if is_plain || text.chars().all(is_char) { Ok(()) } else { Err(Fault::malformed(NO_CHARACTER)) }
}

fn bind(outer: Scope, prefix: &str, namespace: &str) -> Result<Scope, Fault> {
    let is_xml = prefix == "xml" || namespace == XML;
    let may = match prefix {
        "xml" => namespace == XML,
        _ if is_xml || prefix == "xmlns" || namespace == XMLNS => false,
        "" => true,
        _ => is_name(prefix) && !namespace.is_empty(),
    };
    if !may {
        return Err(Fault::malformed("a namespace that cannot be declared so"));
    }
    if namespace.len() > MAX_NAMESPACE {
        return Err(Fault::TooComplex(format!("a namespace of more than {MAX_NAMESPACE} bytes")));
    }
    // Many writers declare on every element what holds already.
    if resolve(&outer, prefix).is_some_and(|known| *known == *namespace) {
        return Ok(outer);
    }
    let depth = outer.as_ref().map_or(0, |binding| binding.depth) + 1;
    // Every name is looked up among them.
    if depth > MAX_BINDINGS {
        let why = format!("more than {MAX_BINDINGS} namespace prefixes within one another");
        return Err(Fault::TooComplex(why));
    }
    Ok(Some(Rc::new(Binding { prefix: prefix.to_owned(), namespace: namespace.into(), depth, outer })))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<Element, Refused> {
        parse(text, &Bounds::default())
    }

    /// A short form: `{namespace}local(@attribute=value "text" children)`.
    fn told(element: &Element) -> String {
        let of = |name: &Name| match &*name.namespace {
            "" => name.local.clone(),
            namespace => format!("{{{namespace}}}{}", name.local),
        };
        let attributes = element.attributes.iter().map(|(name, value)| format!("@{}={value} ", of(name)));
        let children = element.children.iter().map(told);
        let text = format!("{:?}", element.text);
        format!(
            "{}({}{text}{})",
            of(&element.name),
            attributes.collect::<String>(),
            children.collect::<String>()
        )
    }

    #[test]
    fn names_have_their_namespaces() {
        for (text, expected) in [
            ("<a/>", r#"a("")"#),
            ("<a xmlns='u' b='1'><c xmlns=''/><d/></a>", r#"{u}a(@b=1 ""c(""){u}d(""))"#),
            (
                "<p:a xmlns:p='u' p:b='x'><p:a xmlns:p='v'/></p:a><!-- after -->\n",
                r#"{u}a(@{u}b=x ""{v}a(""))"#,
            ),
            ("<a xml:lang='en'/>", r#"a(@{http://www.w3.org/XML/1998/namespace}lang=en "")"#),
            (
                "<?xml version='1.0' encoding='utf-8'?><a>1&lt;2<!-- c -->&#x41;&#66;<![CDATA[<&]]>\r\n</a>",
                "a(\"1<2AB<&\\n\")",
            ),
            ("<a b='&amp;&#10;\n x'/>", "a(@b=&\n  x \"\")"),
            ("\u{feff}<a/>", r#"a("")"#),
        ] {
            assert_eq!(read(text).map(|root| told(&root)).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_soap_forbids_is_refused() {
        for (text, what) in [
            ("<!DOCTYPE a><a/>", "a document type declaration"),
            ("<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", "a document type declaration"),
            ("<a>&x;</a>", "an entity other than the five of XML"),
            ("<a b='&x;'/>", "an entity other than the five of XML"),
            ("<?php 1?><a/>", "a processing instruction"),
            ("<a><?x y?></a>", "a processing instruction"),
        ] {
            assert_eq!(read(text).unwrap_err(), Refused::Forbidden(what), "{text}");
        }
    }

    #[test]
    fn what_is_not_well_formed_is_refused() {
        for text in [
            "",
            " ",
            "x",
            "<a>",
            "</a>",
            "<a></b>",
            "<a/><b/>",
            "<a/>x",
            "x<a/>",
            "<a b/>",
            "<a b=c/>",
            "<a b='1' b='2'/>",
            "<a xmlns:p='u' xmlns:q='u' p:b='1' q:b='2'/>",
            "<p:a/>",
            "<a p:b='1'/>",
            "<a xmlns:p=''/>",
            "<a xmlns:xml='u'/>",
            "<a xmlns:p='http://www.w3.org/2000/xmlns/'/>",
            "<a>\u{1}</a>",
            "<a>&#0;</a>",
            "<a>&#xd800;</a>",
            "<a b='\u{1}'/>",
            "<a b='<'/>",
            "<a>]]></a>",
            "<a>&</a>",
            "<a>&lt</a>",
            "<1/>",
            "<a:b:c xmlns:a='u'/>",
            "<a><!-- -- --></a>",
            " <?xml version='1.0'?><a/>",
            "<?xml version='1.1'?><a/>",
            "<a/><?xml version='1.0'?>",
            "<a",
            "<a b='",
            "<![CDATA[x]]><a/>",
            "<a><![CDATA[</a>",
            "<a/>&lt;",
        ] {
            assert!(
                matches!(read(text), Err(Refused::Malformed(_))),
                "{text}: {:?}",
                read(text).map(|root| told(&root))
            );
        }
    }

    #[test]
    fn depth_elements_attributes_and_prefixes_are_bounded() {
        let bounds = Bounds { depth: 4, values: 10, ..Bounds::default() };
        let read = |text: &str| parse(text, &bounds);
        assert!(read("<a><a><a><a/></a></a></a>").is_ok());
        assert!(matches!(read("<a><a><a><a><a/></a></a></a></a>"), Err(Refused::TooComplex(_))));
        assert!(read("<a b='1'><a/><a/><a/><a/><a/><a/><a/><a/></a>").is_ok());
        assert!(matches!(
            read("<a b='1' c='2'><a/><a/><a/><a/><a/><a/><a/><a/></a>"),
            Err(Refused::TooComplex(_))
        ));
        let many = |name: &str, count: usize| {
            let attributes: String = (0..count).map(|n| format!(" {name}{n}='u'")).collect();
            parse(&format!("<a{attributes}/>"), &Bounds::default())
        };
        assert!(many("b", 64).is_ok());
        assert!(matches!(many("b", 65), Err(Refused::TooComplex(_))));
        let deep: String = (0..60)
            .map(|n| {
                format!("<a xmlns:a{n}='u' xmlns:b{n}='u' xmlns:c{n}='u' xmlns:d{n}='u' xmlns:e{n}='u'>")
            })
            .collect();
        assert!(
            matches!(parse(&deep, &Bounds::default()), Err(Refused::TooComplex(why)) if why.contains("prefixes"))
        );
        let deep = "<a>".repeat(100_000);
        assert!(matches!(parse(&deep, &Bounds::default()), Err(Refused::TooComplex(_))));
    }

    #[test]
    fn names_in_texts_are_resolved_where_they_stand() {
        let root = read("<a xmlns='u' xmlns:p='v'><b xmlns:p='w'> p:x </b><b>y</b><b>q:z</b></a>").unwrap();
        let names: Vec<_> = root
            .children
            .iter()
            .map(|b| b.qualified_text().map(|n| format!("{}|{}", n.namespace, n.local)))
            .collect();
        assert_eq!(names, [Some("w|x".to_owned()), Some("u|y".to_owned()), None]);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in r#"([<>/&;'"= ab:?!\[\]-]|<a>|</a>|<!--|-->|xmlns|&#x41;|é){0,40}"#) {
            let _ = read(&text);
        }
    }
}
