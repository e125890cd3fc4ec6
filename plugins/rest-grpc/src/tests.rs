//! The path grammar and the precedence of routes, case by case.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::Deserialize;

use crate::router::{Found, Router};
use crate::template::{Segment, Template};

#[derive(Deserialize)]
struct TemplateCase {
    template: String,
    #[serde(default)]
    segments: Vec<String>,
    verb: Option<String>,
    #[serde(default)]
    variables: BTreeMap<String, (usize, usize)>,
    wrong: Option<String>,
}

#[derive(Deserialize)]
struct Routes {
    templates: Vec<String>,
    cases: Vec<RouteCase>,
}

#[derive(Deserialize)]
struct RouteCase {
    request: String,
    is: Option<String>,
    #[serde(default)]
    variables: BTreeMap<String, String>,
    #[serde(default)]
    methods: Vec<String>,
}

#[test]
fn templates_follow_the_grammar() {
    let cases: Vec<TemplateCase> =
        serde_json::from_str(include_str!("../tests/data/templates.json")).unwrap();
    assert!(cases.len() > 40);
    for case in cases {
        let parsed = Template::parse(&case.template);
        if let Some(wrong) = case.wrong {
            let error = parsed.unwrap_err().to_string();
            assert_eq!(error, format!("path template `{}` {wrong}", case.template));
            continue;
        }
        let template = parsed.unwrap();
        let segments = template.segments.iter().map(|segment| match segment {
            Segment::Literal(literal) => literal.to_string(),
            Segment::One => "*".to_owned(),
            Segment::Any => "**".to_owned(),
        });
        assert_eq!(segments.collect::<Vec<_>>(), case.segments, "{}", case.template);
        assert_eq!(template.verb.as_deref(), case.verb.as_deref(), "{}", case.template);
        let variables = template
            .variables
            .iter()
            .map(|variable| (variable.field.clone(), (variable.segments.start, variable.segments.end)));
        assert_eq!(variables.collect::<BTreeMap<_, _>>(), case.variables, "{}", case.template);
    }
}

#[test]
fn requests_find_their_route() {
    let routes: Routes = serde_json::from_str(include_str!("../tests/data/routes.json")).unwrap();
    assert!(routes.cases.len() > 45);
    let templates: Vec<_> = routes
        .templates
        .iter()
        .map(|route| {
            let (method, template) = route.split_once(' ').unwrap();
            (method, Template::parse(template).unwrap())
        })
        .collect();
    // The order in which routes are told makes no difference.
    for order in [(0..templates.len()).collect::<Vec<_>>(), (0..templates.len()).rev().collect()] {
        let mut router = Router::new();
        for place in order {
            let (method, template) = &templates[place];
            router.add(method, template, place).unwrap();
        }
        for case in &routes.cases {
            let (method, path) = case.request.split_once(' ').unwrap();
            match router.find(method, path) {
                Found::Target(place, segments) => {
                    assert_eq!(Some(&routes.templates[place]), case.is.as_ref(), "{}", case.request);
                    let template = &templates[place].1;
                    for variable in &template.variables {
                        let taken = template.taken(variable, segments.list.len());
                        let text = segments.list[taken].join("/");
                        assert_eq!(case.variables.get(&variable.field), Some(&text), "{}", case.request);
                    }
                }
                Found::Methods(mut methods) => {
                    methods.sort();
                    assert_eq!((methods, &case.is), (case.methods.clone(), &None), "{}", case.request);
                }
                Found::Nothing => assert!(case.is.is_none() && case.methods.is_empty(), "{}", case.request),
            }
        }
    }
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
