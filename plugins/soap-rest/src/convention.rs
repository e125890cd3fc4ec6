//! Between XML and JSON where nothing is declared. Attributes are `@name`, text beside anything else is `#text`, elements of one
//! name are an array, an element with nothing but a text is a string.

use std::borrow::Cow;

use crate::json::{Json, Place};
use crate::names::{Names, Tag, Terms};
use crate::stop::Stop;
use crate::xml::{Element, Writer, XSI, is_char};

/// What an element stands for.
pub(crate) fn read(element: &Element, names: &Names) -> Json {
    if element.is_nil() {
        return Json::Null;
    }
    let attributes = element.attributes.iter().filter(|(name, _)| &*name.namespace != XSI);
    // One of a namespace that has no prefix has no name that would be its own.
    let attributes =
        attributes.filter_map(|(name, value)| Some((names.short_attribute(name)?, value.clone())));
    let mut members: Vec<(String, Json)> =
        attributes.map(|(name, value)| (format!("@{name}"), Json::text(value))).collect();
    if members.is_empty() && element.children.is_empty() {
        return Json::text(element.text.clone());
    }
    if !element.is_blank() {
        members.push(("#text".to_owned(), Json::text(element.text.clone())));
    }
    let mut children: Vec<(String, usize, Json)> = element
        .children
        .iter()
        .enumerate()
        .map(|(index, child)| (names.short(&child.name), index, read(child, names)))
        .collect();
    // Those of one name side by side, then the names in the order of their first.
    children.sort_by(|one, other| (&one.0, one.1).cmp(&(&other.0, other.1)));
    let mut groups: Vec<(usize, String, Vec<Json>)> = Vec::new();
    for (name, index, value) in children {
        match groups.last_mut() {
            Some((_, known, values)) if *known == name => values.push(value),
            _ => groups.push((index, name, vec![value])),
        }
    }
    groups.sort_by_key(|(index, ..)| *index);
    members.extend(groups.into_iter().map(|(_, name, mut values)| match values.pop() {
        Some(value) if values.is_empty() => (name, value),
        last => {
            values.extend(last);
            (name, Json::Array(values))
        }
    }));
    Json::Object(members)
}

/// Writes an element of this name. An array, which an element has no name for, is elements called `item`.
pub(crate) fn write(name: &str, value: &Json, out: &mut Writer<'_>, terms: &Terms) -> Result<(), Stop> {
    out.check()?;
    out.open(name);
    match value {
        Json::Null => {
            out.attribute("xsi:nil", "true");
            out.body();
        }
        Json::Array(items) => {
            out.body();
            let item = terms.names.element("item").map_err(|error| Stop::mismatch("", error.to_string()))?;
            for (index, value) in items.iter().enumerate() {
                write(&item.written, value, out, terms)
                    .map_err(|stop| stop.within(&format!("[{index}]"), '.'))?;
            }
        }
        Json::Object(members) => write_members(members, out, terms)?,
        scalar => {
            let text = text(scalar).map_err(|why| Stop::mismatch("", why))?;
            out.body();
            out.text(&text);
        }
    }
    out.close(name);
    Ok(())
}

fn write_members(members: &[(String, Json)], out: &mut Writer<'_>, terms: &Terms) -> Result<(), Stop> {
    let mut attributes = Vec::new();
    let mut elements = Vec::new();
    for member @ (name, _) in members.iter().filter(|(name, _)| name != "#text") {
        let into = if name.starts_with('@') { &mut attributes } else { &mut elements };
        into.push((tag(name, &terms.names).map_err(|why| Stop::mismatch(name, why))?, member));
    }
    apart(&attributes)?;
    apart(&elements)?;
    for (tag, (name, value)) in &attributes {
        if *value != Json::Null {
            out.attribute(&tag.written, &text(value).map_err(|why| Stop::mismatch(name, why))?);
        }
    }
    out.body();
    let mut elements = elements.iter();
    for (name, value) in members {
        if name == "#text" {
            out.text(&text(value).map_err(|why| Stop::mismatch(name, why))?);
            continue;
        }
        if name.starts_with('@') {
            continue;
        }
        // They come in the order of the members.
        let Some((tag, _)) = elements.next() else { continue };
        match value {
            Json::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    let done = write(&tag.written, item, out, terms);
                    done.map_err(|stop| stop.within(&format!("{name}[{index}]"), '.'))?;
                }
            }
            value => write(&tag.written, value, out, terms).map_err(|stop| stop.within(name, '.'))?,
        }
    }
    Ok(())
}

/// The attribute or element that a member is.
fn tag(member: &str, names: &Names) -> Result<Tag, String> {
    let tag = match member.strip_prefix('@') {
        Some(attribute) => names.attribute(attribute),
        None => names.element(member),
    };
    tag.map_err(|error| error.to_string())
}

/// Refuses two members that are one element, or one attribute: with and without a prefix, or with two prefixes of one namespace.
/// Who is behind reads one of them, and nobody knows which.
fn apart(members: &[(Tag, &(String, Json))]) -> Result<(), Stop> {
    // The way a name is written is the same for all who write it.
    let mut names: Vec<(&str, &str)> =
        members.iter().map(|(tag, (name, _))| (tag.written.as_str(), name.as_str())).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        Some(pair) => Err(Stop::mismatch(pair[1].1, format!("it is the same as `{}`", pair[0].1))),
        None => Ok(()),
    }
}

/// Takes away all that would be written where this place is, however the members are called.
pub(crate) fn remove(document: &mut Json, place: &Place, names: &Names) {
    // What is no name of XML is written nowhere.
    let steps: Result<Vec<Step>, String> = place.0.iter().map(|name| Step::new(name, names)).collect();
    if let Ok(steps) = steps
        && !steps.is_empty()
    {
        remove_in(document, &steps, names);
    }
}

struct Step {
    is_attribute: bool,
    tag: Tag,
}

impl Step {
    fn new(name: &str, names: &Names) -> Result<Self, String> {
        Ok(Self { is_attribute: name.starts_with('@'), tag: tag(name, names)? })
    }

    fn is(&self, name: &str, names: &Names) -> bool {
        // Most names differ, which is quicker to see in their end.
        name.ends_with(&self.tag.name.local)
            && name.starts_with('@') == self.is_attribute
            && tag(name, names).is_ok_and(|tag| tag.name == self.tag.name)
    }
}

fn remove_in(value: &mut Json, steps: &[Step], names: &Names) {
    let Some((step, rest)) = steps.split_first() else { return };
    match value {
        Json::Object(members) => members.retain_mut(|(name, value)| {
            let is_here = step.is(name, names);
            if is_here {
                remove_in(value, rest, names);
            }
            !is_here || !rest.is_empty()
        }),
        Json::Array(items) => {
            for item in items {
                match item {
                    // An array that has no name is elements called `item`.
                    Json::Array(inner) if step.is("item", names) => {
                        inner.iter_mut().for_each(|value| remove_in(value, rest, names));
                        if rest.is_empty() {
                            inner.clear();
                        }
                    }
                    Json::Array(_) => {}
                    item => remove_in(item, steps, names),
                }
            }
        }
        _ => {}
    }
}

fn text(value: &Json) -> Result<Cow<'_, str>, String> {
    match value {
        Json::Text(text) if text.chars().all(is_char) => Ok(text.into()),
        Json::Text(_) => Err("the string has a character that XML does not have".to_owned()),
        Json::Number(number) => Ok(number.into()),
        Json::Bool(value) => Ok(value.to_string().into()),
        other => Err(format!("it is {} and not a text", other.kind())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;
    use crate::xml;

    fn both(markup: &str) -> (String, String) {
        let terms = Terms::of_tests();
        let wrapped = format!("<tns:r xmlns:tns='urn:t' xmlns:o='urn:o' xmlns:xsi='{XSI}'>{markup}</tns:r>");
        let value = read(&xml::parse(&wrapped, &terms.bounds).unwrap(), &terms.names);
        let mut out = Writer::new(&terms.bounds);
        write("r", &value, &mut out, &terms).unwrap();
        (value.write(), out.finish().unwrap())
    }

    #[test]
    fn what_is_read_is_written_again() {
        for (markup, value) in [
            ("x", r#""x""#),
            ("", r#""""#),
            ("<tns:a>1</tns:a><tns:b></tns:b>", r#"{"a":"1","b":""}"#),
            ("<tns:a>1</tns:a><tns:a>2</tns:a><o:a>3</o:a>", r#"{"a":["1","2"],"o:a":"3"}"#),
            (
                "<tns:a i=\"7\" xml:lang=\"en\">t</tns:a>",
                r##"{"a":{"@i":"7","@xml:lang":"en","#text":"t"}}"##,
            ),
            ("<tns:a><tns:b xsi:nil=\"true\"></tns:b></tns:a>", r#"{"a":{"b":null}}"#),
        ] {
            assert_eq!(both(markup), (value.to_owned(), format!("<r>{markup}</r>")));
        }
        // The order between elements of different names, and text between elements, are not kept.
        assert_eq!(both("<tns:a/>t<tns:b/><tns:a/>").0, r##"{"#text":"t","a":["",""],"b":""}"##);
    }

    #[test]
    fn names_of_members_are_unique() {
        let strange = "<tns:a x:i='2' i='1' o:i='3' y:i='4' xmlns:x='urn:x' xmlns:y='urn:y'></tns:a>";
        assert_eq!(
            both(strange),
            (
                r#"{"a":{"@i":"1","@o:i":"3"}}"#.to_owned(),
                "<r><tns:a i=\"1\" o:i=\"3\"></tns:a></r>".to_owned()
            )
        );
    }

    #[test]
    fn one_element_has_one_name() {
        let terms = Terms::of_tests();
        for (text, at) in [
            (r#"{"id":"7","tns:id":"8"}"#, "tns:id"),
            (r#"{"tns:id":"8","b":1,"id":["7"]}"#, "tns:id"),
            (r#"{"a":{"none:b":1,"@b":2,"b":3,"tns:b":4}}"#, "a.tns:b"),
            (r#"{"@none:b":2,"@b":3}"#, "@none:b"),
        ] {
            let value = json::parse(text.as_bytes(), &terms.bounds).unwrap();
            let stop = write("r", &value, &mut Writer::new(&terms.bounds), &terms).unwrap_err();
            assert!(
                matches!(&stop, Stop::Mismatch { at: found, why } if found == at && why.contains("the same as")),
                "{text}: {stop:?}"
            );
        }
    }

    #[test]
    fn what_stands_elsewhere_is_removed_by_all_its_names() {
        let terms = Terms::of_tests();
        for (text, place, left) in [
            (r#"{"id":1,"tns:id":2,"o:id":3,"@id":4}"#, &["id"][..], r#"{"o:id":3,"@id":4}"#),
            (r#"{"@id":1,"@none:id":2,"id":3}"#, &["@id"], r#"{"id":3}"#),
            (r#"{"a":{"id":1,"b":2},"tns:a":[{"tns:id":1}]}"#, &["a", "id"], r#"{"a":{"b":2},"tns:a":[{}]}"#),
            (r#"{"a":[[1],{"item":2},3]}"#, &["a", "item"], r#"{"a":[[],{},3]}"#),
        ] {
            let mut value = json::parse(text.as_bytes(), &terms.bounds).unwrap();
            remove(&mut value, &Place(place.iter().map(ToString::to_string).collect()), &terms.names);
            assert_eq!(value.write(), left, "{text}");
        }
    }

    #[test]
    fn what_is_no_xml_is_told() {
        let terms = Terms::of_tests();
        for (text, at) in [
            (r#"{"a b":1}"#, "a b"),
            (r#"{"a":{"x:b":1}}"#, "a.x:b"),
            (r#"{"a":[1,{"@b":[]}]}"#, "a[1].@b"),
            (r#"{"a":"\u0000"}"#, "a"),
            (r#"{"@a>":1}"#, "@a>"),
            (r#"{"@xmlns":"urn:o","a":1}"#, "@xmlns"),
            (r#"{"a":{"@xmlns:o":"urn:x"}}"#, "a.@xmlns:o"),
        ] {
            let value = json::parse(text.as_bytes(), &terms.bounds).unwrap();
            let stop = write("r", &value, &mut Writer::new(&terms.bounds), &terms).unwrap_err();
            assert!(matches!(&stop, Stop::Mismatch { at: found, .. } if found == at), "{text}: {stop:?}");
        }
        let value = json::parse(b"[1,[true],{}]", &terms.bounds).unwrap();
        let mut out = Writer::new(&terms.bounds);
        write("r", &value, &mut out, &terms).unwrap();
        let expected = "<r><tns:item>1</tns:item><tns:item><tns:item>true</tns:item></tns:item><tns:item></tns:item></r>";
        assert_eq!(out.finish().unwrap(), expected);
    }
}
