//! What queries select: the examples of RFC 9535, and what two other implementations select, see
//! `tests/data/README.md`; and what neither looks at.

use super::*;
use crate::edit::place_of;
use crate::json::{Json, LEAST_BUDGET};

/// With the number of cases, and of those that are refused.
const SUITES: [(&str, usize, usize); 2] = [
    (include_str!("../../tests/data/jsonpath/rfc.json"), 120, 11),
    (include_str!("../../tests/data/jsonpath/expected.json"), 1526, 461),
];

fn parse(text: &str) -> Json<'_> {
    crate::json::parse(text.as_bytes(), LEAST_BUDGET).unwrap()
}

fn text<'v>(case: &'v Json<'_>, member: &str) -> &'v str {
    match case.member(member) {
        Some(Json::Text(text)) => text,
        other => panic!("{member} is {other:?}"),
    }
}

fn items<'v, 'a>(value: Option<&'v Json<'a>>) -> &'v [Json<'a>] {
    match value {
        Some(Json::Array(items)) => items,
        other => panic!("{other:?} is not an array"),
    }
}

/// RFC 9535 section 2.7.
fn normalized(root: &Json<'_>, node: &Json<'_>) -> String {
    let mut path = String::from("$");
    let mut at = root;
    for index in place_of(root, node).expect("a selected node is in the document") {
        if let Json::Object(members) = at {
            let quoted: String = members[index].0.chars().map(quote).collect();
            path.push_str(&format!("['{quoted}']"));
        } else {
            path.push_str(&format!("[{index}]"));
        }
        at = at.children().nth(index).expect("it is there");
    }
    path
}

fn quote(character: char) -> String {
    match character {
        '\u{8}' => "\\b".to_owned(),
        '\t' => "\\t".to_owned(),
        '\n' => "\\n".to_owned(),
        '\u{c}' => "\\f".to_owned(),
        '\r' => "\\r".to_owned(),
        '\'' | '\\' => format!("\\{character}"),
        '\0'..' ' => format!("\\u{:04x}", u32::from(character)),
        _ => character.to_string(),
    }
}

fn check(case: &Json<'_>, documents: &Json<'_>) -> Result<(), String> {
    let parsed = Path::parse(text(case, "query"));
    let (Some(values), Some(paths)) = (case.member("values"), case.member("paths")) else {
        return if parsed.is_err() { Ok(()) } else { Err("it was accepted".to_owned()) };
    };
    let path = parsed.map_err(|error| error.to_string())?;
    let document = documents.member(text(case, "on")).ok_or("no document")?;
    let nodes = path.select(document).map_err(|_| "too much")?;
    let selected = Json::Array(nodes.iter().map(|node| (*node).clone()).collect());
    if selected != *values {
        return Err(format!("it selected {selected:?}"));
    }
    let places = nodes.iter().map(|node| Json::Text(normalized(document, node).into())).collect();
    let places = Json::Array(places);
    if places == *paths { Ok(()) } else { Err(format!("it selected nodes at {places:?}")) }
}

#[test]
fn every_query_selects_what_it_should() {
    for (suite, count, refused) in SUITES {
        let suite = parse(suite);
        let documents = suite.member("documents").expect("it has documents");
        let cases = items(suite.member("cases"));
        assert_eq!(cases.len(), count, "the cases that were embedded");
        assert_eq!(cases.iter().filter(|case| case.member("paths").is_none()).count(), refused);
        let failures: Vec<_> = cases
            .iter()
            .filter_map(|case| Some(format!("{}: {}", text(case, "query"), check(case, documents).err()?)))
            .collect();
        assert!(failures.is_empty(), "{} cases fail:\n{}", failures.len(), failures.join("\n"));
    }
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    for (path, reason) in [
        ("a", "`a` is not a JSONPath, at character 1: it does not begin with `$`"),
        ("$.a[", "at character 5: a selector is missing"),
        ("$[?@.a = 1]", "at character 8: a `,` or `]` is missing"),
        ("$[?lenght(@) > 1]", "there is no function `lenght`"),
        ("$[?@.* == 1]", "has no value"),
        ("$[?match(@, '\\\\d')]", "`\\d` is not an I-Regexp: there is no escape `\\d`"),
        ("$[01]", "leading zero"),
    ] {
        let error = Path::parse(path).unwrap_err().to_string();
        assert!(error.contains(reason), "{path}: {error}");
    }
    let deep = format!("$[?{}@{}]", "(".repeat(40), ")".repeat(40));
    assert!(Path::parse(&deep).unwrap_err().to_string().contains("within one another"));
}

#[test]
fn a_document_cannot_make_a_path_run_away() {
    let wide = format!("[{}]", vec!["[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]"; 2_000].join(","));
    let document = parse(&wide);
    let path = Path::parse("$[?count($..*) > 1]").unwrap();
    assert_eq!(path.select(&document).unwrap_err(), TooMuch);
    assert_eq!(Path::parse("$..*").unwrap().select(&document).unwrap().len(), 34_000);
}

#[test]
fn large_numbers_are_told_apart() {
    let document = parse("[{\"id\":9007199254740993},{\"id\":9007199254740992}]");
    let nodes = Path::parse("$[?@.id == 9007199254740993].id").unwrap();
    assert_eq!(nodes.select(&document).unwrap().len(), 1);
}
