//! The path grammar and the precedence of routes, case by case.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::Deserialize;

use crate::router::{Found, Router};
use crate::template::{Segment, Template};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TemplateCase {
    of: String,
    template: String,
    #[serde(default)]
    segments: Vec<String>,
    verb: Option<String>,
    #[serde(default)]
    variables: BTreeMap<String, (usize, usize)>,
    /// Why it is none, in our words.
    wrong: Option<String>,
    #[serde(default)]
    refused: bool,
    /// What the suite expects, where Sluice differs on purpose.
    theirs: Option<String>,
}

/// Routes that are there together, and what requests find.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Routes {
    of: String,
    routes: Vec<String>,
    /// The routes cannot be there together.
    #[serde(default)]
    refused: bool,
    cases: Vec<RouteCase>,
    theirs: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RouteCase {
    request: String,
    is: Option<String>,
    #[serde(default)]
    variables: BTreeMap<String, String>,
    /// Methods that the path has, without the one that is asked for.
    #[serde(default)]
    methods: Vec<String>,
    theirs: Option<String>,
}

#[test]
fn templates_follow_the_grammar() {
    let cases: Vec<TemplateCase> =
        serde_json::from_str(include_str!("../tests/data/templates.json")).unwrap();
    assert_eq!((cases.len(), cases.iter().filter(|case| case.theirs.is_some()).count()), (234, 6));
    for case in cases {
        let name = format!("{}: {}", case.of, case.template);
        let parsed = Template::parse(&case.template);
        if case.refused || case.wrong.is_some() {
            let error = parsed.expect_err(&name).to_string();
            if let Some(wrong) = case.wrong {
                assert_eq!(error, format!("path template `{}` {wrong}", case.template), "{name}");
            }
            continue;
        }
        let template = parsed.expect(&name);
        let segments = template.segments.iter().map(|segment| match segment {
            Segment::Literal(literal) => literal.to_string(),
            Segment::One => "*".to_owned(),
            Segment::Any => "**".to_owned(),
        });
        assert_eq!(segments.collect::<Vec<_>>(), case.segments, "{name}");
        assert_eq!(template.verb.as_deref(), case.verb.as_deref(), "{name}");
        let variables = template
            .variables
            .iter()
            .map(|variable| (variable.field.clone(), (variable.segments.start, variable.segments.end)));
        assert_eq!(variables.collect::<BTreeMap<_, _>>(), case.variables, "{name}");
    }
}

#[test]
fn requests_find_their_route() {
    let groups: Vec<Routes> = serde_json::from_str(include_str!("../tests/data/routes.json")).unwrap();
    let cases = || groups.iter().flat_map(|group| &group.cases);
    let theirs = cases().filter(|case| case.theirs.is_some()).count();
    let groups_of_theirs = groups.iter().filter(|group| group.theirs.is_some()).count();
    assert_eq!((groups.len(), cases().count(), theirs, groups_of_theirs), (69, 250, 4, 2));
    for group in &groups {
        let templates: Vec<_> = group
            .routes
            .iter()
            .map(|route| {
                let (method, template) = route.split_once(' ').unwrap();
                (method, Template::parse(template).unwrap())
            })
            .collect();
        // The order in which routes are told makes no difference.
        for order in [(0..templates.len()).collect::<Vec<_>>(), (0..templates.len()).rev().collect()] {
            let mut router = Router::new();
            let mut add = |place: usize| router.add(templates[place].0, &templates[place].1, place);
            let added: Result<Vec<()>, usize> = order.into_iter().map(&mut add).collect();
            assert_eq!(added.is_err(), group.refused, "{}: {:?}", group.of, group.routes);
            for case in &group.cases {
                check_route(&router, &templates, group, case);
            }
        }
    }
}

fn check_route(router: &Router, templates: &[(&str, Template)], group: &Routes, case: &RouteCase) {
    let name = format!("{}: {} of {:?}", group.of, case.request, group.routes);
    let (method, path) = case.request.split_once(' ').unwrap();
    match router.find(method, path) {
        Found::Target(place, segments) => {
            assert_eq!(Some(&group.routes[place]), case.is.as_ref(), "{name}");
            let template = &templates[place].1;
            let variables = template.variables.iter().map(|variable| {
                let taken = template.taken(variable, segments.list.len());
                (variable.field.clone(), segments.list[taken].join("/"))
            });
            assert_eq!(variables.collect::<BTreeMap<_, _>>(), case.variables, "{name}");
        }
        Found::Methods(mut methods) => {
            methods.sort();
            assert_eq!((methods, &case.is), (case.methods.clone(), &None), "{name}");
        }
        Found::Nothing => assert!(case.is.is_none() && case.methods.is_empty(), "{name}"),
    }
}

#[test]
fn many_empty_segments_are_no_burden() {
    let mut router = Router::new();
    router.add("GET", &Template::parse("/a/**/x").unwrap(), 0).unwrap();
    let slashes = "/".repeat(64_000);
    assert!(matches!(router.find("GET", &format!("/a/{slashes}/x")), Found::Target(0, _)));
    assert!(matches!(router.find("GET", &format!("/a/{slashes}/y")), Found::Nothing));
}

#[test]
fn the_same_route_twice_is_seen() {
    let mut router = Router::new();
    let mut add =
        |method: &str, template: &str, place| router.add(method, &Template::parse(template).unwrap(), place);
    assert_eq!(add("GET", "/v1/{a=x/*}", 0), Ok(()));
    assert_eq!(add("GET", "/v1/x/{b}", 1), Err(0));
    assert_eq!(add("PUT", "/v1/x/{b}", 2), Ok(()));
    assert_eq!(add("GET", "/v1/x/{b}:verb", 3), Ok(()));
    assert_eq!(add("GET", "/v1/{a=**}", 4), Ok(()));
    assert_eq!(add("GET", "/v1/**", 5), Err(4));
}

proptest! {
    #[test]
    fn any_text_is_a_template_or_an_error(text in r"/[a-c/*{}=.:]{0,24}") {
        if let Ok(template) = Template::parse(&text) {
            let mut router = Router::new();
            router.add("GET", &template, 0).unwrap();
            // A path in which every wildcard stands for `a` is one of the template's.
            let segments: Vec<_> = template.segments.iter().map(|segment| match segment {
                Segment::Literal(literal) => literal.to_string(),
                Segment::One | Segment::Any => "a".to_owned(),
            }).collect();
            let verb = template.verb.as_ref().map(|verb| format!(":{verb}")).unwrap_or_default();
            let path = format!("/{}{verb}", segments.join("/"));
            prop_assert!(matches!(router.find("GET", &path), Found::Target(0, _)), "{} {}", text, path);
        }
    }

    #[test]
    fn any_path_leads_somewhere_or_not(path in r"/[a-c/*{}=.:%]{0,40}") {
        let mut router = Router::new();
        for (place, text) in ["/a/{x=**}/b", "/{x}/b/*", "/a/b/{y=c/*}:a", "/**"].iter().enumerate() {
            router.add("GET", &Template::parse(text).unwrap(), place).unwrap();
        }
        prop_assert!(matches!(router.find("GET", &path), Found::Target(..)));
    }
}
