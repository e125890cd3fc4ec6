//! The JSONPath Compliance Test Suite, every case of it, and what it does not look at.

use super::*;
use crate::edit::place_of;
use crate::json::{Json, LEAST_BUDGET};

const SUITE: &str = include_str!("../../tests/data/jsonpath-cts.json");

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
        None => &[],
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

fn check(case: &Json<'_>) -> Result<(), String> {
    let parsed = Path::parse(text(case, "selector"));
    if case.member("invalid_selector").is_some() {
        return if parsed.is_err() { Ok(()) } else { Err("it was accepted".to_owned()) };
    }
    let path = parsed.map_err(|error| error.to_string())?;
    let document = case.member("document").ok_or("no document")?;
    let nodes = path.select(document).map_err(|_| "too much")?;
    let results = Json::Array(nodes.iter().map(|node| (*node).clone()).collect());
    let places = nodes.iter().map(|node| Json::Text(normalized(document, node).into())).collect();
    let places = Json::Array(places);
    let (one, several) = (case.member("result"), items(case.member("results")));
    let at = one.into_iter().chain(several).position(|expected| *expected == results);
    let at = at.ok_or_else(|| format!("it selected {results:?}"))?;
    let expected = case.member("result_paths").or_else(|| items(case.member("results_paths")).get(at));
    if expected == Some(&places) { Ok(()) } else { Err(format!("it selected nodes at {places:?}")) }
}

#[test]
fn the_compliance_suite_passes() {
    let suite = parse(SUITE);
    let cases = items(suite.member("tests"));
    assert_eq!(cases.len(), 703, "the suite that was embedded");
    let failures: Vec<_> = cases
        .iter()
        .filter_map(|case| {
            Some(format!("{} {}: {}", text(case, "name"), text(case, "selector"), check(case).err()?))
        })
        .collect();
    assert!(failures.is_empty(), "{} cases fail:\n{}", failures.len(), failures.join("\n"));
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
