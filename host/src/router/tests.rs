//! The router against a linear scan that spells the precedence out, and the cases that people ask about.

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use proptest::prelude::{Just, Strategy, prop_oneof, proptest};
use proptest::{collection, option, prop_assert, prop_assert_eq, sample};

use super::{Lookup, RequestView, Router, Tie};
use crate::config::{HostPattern, PathPattern, RouteMatch, Segment};

fn route(host: &str, path: &str, methods: &[Method]) -> RouteMatch {
    RouteMatch {
        hosts: vec![HostPattern::parse(host).unwrap()],
        path: PathPattern::parse(path).unwrap(),
        methods: methods.to_vec(),
        headers: Vec::new(),
        query: Vec::new(),
    }
}

fn with_header(mut route: RouteMatch, name: &'static str, value: &'static str) -> RouteMatch {
    route.headers.push((HeaderName::from_static(name), HeaderValue::from_static(value)));
    route
}

fn with_query(mut route: RouteMatch, name: &str, value: &str) -> RouteMatch {
    route.query.push((name.to_owned(), value.to_owned()));
    route
}

/// A request, owned.
#[derive(Clone, Debug)]
struct Request {
    host: String,
    path: String,
    method: Method,
    headers: HeaderMap,
    query: Option<String>,
}

impl Request {
    fn get(host: &str, path: &str) -> Self {
        Self {
            host: host.to_owned(),
            path: path.to_owned(),
            method: Method::GET,
            headers: HeaderMap::new(),
            query: None,
        }
    }

    fn view(&self) -> RequestView<'_> {
        RequestView {
            host: &self.host,
            path: &self.path,
            method: &self.method,
            headers: &self.headers,
            query: self.query.as_deref(),
        }
    }
}

fn found(router: &Router, request: &Request) -> Option<usize> {
    match router.find(&request.view()) {
        Lookup::Found { route, .. } => Some(route),
        Lookup::MethodNotAllowed { .. } | Lookup::NotFound => None,
    }
}

#[test]
fn hosts_go_from_exact_to_any() {
    let routes = ["*", "*.example", "*.shop.example", "api.shop.example"].map(|host| route(host, "/**", &[]));
    let router = Router::new(&routes).unwrap();
    let host = |host| found(&router, &Request::get(host, "/"));
    assert_eq!(host("api.shop.example"), Some(3));
    assert_eq!(host("API.Shop.Example."), Some(3));
    assert_eq!(host("www.shop.example"), Some(2));
    assert_eq!(host("a.b.shop.example"), Some(2), "a wildcard stands for one label or more");
    assert_eq!(host("shop.example"), Some(1));
    assert_eq!(host("example"), Some(0));
    assert_eq!(host("[::1]"), Some(0));
    assert_eq!(host(&"a.".repeat(10_000)), Some(0));
}

#[test]
fn paths_go_from_exact_to_short_prefix() {
    let paths = [
        "/**",
        "/orders/**",
        "/orders/{id}/**",
        "/orders/new/**",
        "/orders/{id}",
        "/orders/new",
        "/orders/",
        "/",
    ];
    let routes = paths.map(|path| route("*", path, &[]));
    let router = Router::new(&routes).unwrap();
    let path = |path| found(&router, &Request::get("h", path)).map(|route| paths[route]);
    assert_eq!(path("/orders/new"), Some("/orders/new"));
    assert_eq!(path("/orders/7"), Some("/orders/{id}"));
    assert_eq!(path("/orders/7/lines"), Some("/orders/{id}/**"));
    assert_eq!(path("/orders/7/"), Some("/orders/{id}/**"));
    assert_eq!(path("/orders/new/x"), Some("/orders/new/**"));
    assert_eq!(path("/orders/"), Some("/orders/"));
    assert_eq!(path("/orders"), Some("/orders/**"));
    assert_eq!(path("/orders//"), Some("/orders/**"), "a segment is not empty");
    assert_eq!(path("/ordersx"), Some("/**"));
    assert_eq!(path("/"), Some("/"));
    assert_eq!(path("//"), Some("/**"));
    assert_eq!(path("*"), Some("/**"));
}

#[test]
fn the_leftmost_text_decides_and_failure_falls_back() {
    let routes = [
        route("*", "/{a}/b/c", &[]),
        route("*", "/a/{b}/c", &[]),
        route("*", "/a/b/**", &[]),
        route("*", "/a/{b}/{c}/**", &[Method::POST]),
    ];
    let router = Router::new(&routes).unwrap();
    assert_eq!(found(&router, &Request::get("h", "/a/b/c")), Some(1));
    assert_eq!(found(&router, &Request::get("h", "/x/b/c")), Some(0));
    assert_eq!(found(&router, &Request::get("h", "/a/b/d")), Some(2), "the longer prefix wants POST");
    let post = Request { method: Method::POST, ..Request::get("h", "/a/b/d") };
    assert_eq!(found(&router, &post), Some(3));
}

#[test]
fn a_failing_host_gives_way_to_the_next() {
    let routes =
        [route("a.example", "/x", &[]), route("*.example", "/**", &[Method::POST]), route("*", "/y", &[])];
    let router = Router::new(&routes).unwrap();
    assert_eq!(found(&router, &Request::get("a.example", "/x")), Some(0));
    assert_eq!(found(&router, &Request::get("a.example", "/y")), Some(2));
    let answer = router.find(&Request::get("a.example", "/z").view());
    assert_eq!(answer, Lookup::MethodNotAllowed { allow: vec![Method::POST] });
}

#[test]
fn methods_then_headers_then_query() {
    let routes = [
        route("*", "/", &[]),
        with_query(route("*", "/", &[]), "v", "2"),
        with_header(route("*", "/", &[]), "x-canary", "true"),
        route("*", "/", &[Method::GET]),
    ];
    let router = Router::new(&routes).unwrap();
    let mut request = Request { query: Some("v=2".to_owned()), ..Request::get("h", "/") };
    request.headers.insert("x-canary", HeaderValue::from_static("true"));
    assert_eq!(found(&router, &request), Some(3));
    request.method = Method::PUT;
    assert_eq!(found(&router, &request), Some(2));
    request.headers.clear();
    assert_eq!(found(&router, &request), Some(1));
    request.query = None;
    assert_eq!(found(&router, &request), Some(0));
}

#[test]
fn allow_lists_what_would_pass_but_for_the_method() {
    let routes = [
        route("*", "/x", &[Method::GET, Method::HEAD]),
        route("*", "/x", &[Method::PUT]),
        route("*", "/{id}", &[Method::GET, Method::PATCH]),
        with_header(route("*", "/x", &[Method::DELETE]), "x-admin", "1"),
        route("*", "/only-admin", &[Method::GET]),
    ];
    let router = Router::new(&routes).unwrap();
    let post = |path| router.find(&Request { method: Method::POST, ..Request::get("h", path) }.view());
    let allow = vec![Method::GET, Method::HEAD, Method::PUT, Method::PATCH];
    assert_eq!(post("/x"), Lookup::MethodNotAllowed { allow });
    assert_eq!(post("/x/y"), Lookup::NotFound);
    let admin = [with_header(route("*", "/x", &[Method::DELETE]), "x-admin", "1")];
    let router = Router::new(&admin).unwrap();
    assert_eq!(router.find(&Request::get("h", "/x").view()), Lookup::NotFound);
}

#[test]
fn params_have_names_and_borrow_from_the_path() {
    let routes = [
        route("*", "/u/{user}/*/o/{order}", &[Method::GET]),
        route("*", "/u/{id}/*/o/{number}", &[Method::PUT]),
        route("*", "/{a}/{b}/{c}/{d}/{e}/{f}/**", &[]),
    ];
    let router = Router::new(&routes).unwrap();
    let lookup = |method: Method, path: &str| {
        let request = Request { method, ..Request::get("h", path) };
        let Lookup::Found { route, params } = router.find(&request.view()) else { panic!("not found") };
        let pairs = router.params(route, &params, path);
        pairs.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(lookup(Method::GET, "/u/7/x/o/%41"), "user=7 order=%41");
    assert_eq!(lookup(Method::PUT, "/u/7/x/o/9"), "id=7 number=9");
    assert_eq!(lookup(Method::GET, "/1/2/3/4/5/6/7"), "a=1 b=2 c=3 d=4 e=5 f=6");
}

#[test]
fn ties_are_named_once() {
    let both = RouteMatch {
        hosts: vec![HostPattern::parse("a.x").unwrap(), HostPattern::parse("b.x").unwrap()],
        ..route("*", "/x/{id}", &[Method::GET, Method::PUT])
    };
    let twin = RouteMatch {
        path: PathPattern::parse("/x/{other}").unwrap(),
        methods: vec![Method::PUT, Method::GET],
        ..both.clone()
    };
    let other = RouteMatch { methods: vec![Method::POST], ..both.clone() };
    let ties = Router::new(&[both, other, twin]).unwrap_err();
    assert_eq!(ties, [Tie { first: 0, second: 2 }]);
    let canary = |name| with_header(route("*", "/", &[]), name, "1");
    assert!(Router::new(&[canary("x-a"), canary("x-b")]).is_ok(), "other conditions: the order decides");
}

/// Where a route stands for a request: the smallest goes first. `None` if it does not match.
type Rank = (u8, usize, bool, usize, Vec<bool>, bool, usize, usize);

fn rank(route: &RouteMatch, request: &Request, any_method: bool) -> Option<Rank> {
    let host = request.host.to_ascii_lowercase();
    let hosts = route.hosts.iter().filter_map(|pattern| match pattern {
        HostPattern::Exact(exact) => (*exact == host).then_some((0, 0)),
        HostPattern::Wildcard(suffix) => {
            (host.ends_with(suffix) && host.len() > suffix.len()).then_some((1, 1000 - suffix.len()))
        }
        HostPattern::Any => Some((2, 0)),
    });
    let no_hosts = route.hosts.is_empty().then_some((2, 0));
    let (kind, suffix) = hosts.chain(no_hosts).min()?;

    let given: Vec<&str> =
        if request.path == "/" { Vec::new() } else { request.path[1..].split('/').collect() };
    let wanted = &route.path.segments;
    let fits = if route.path.rest { wanted.len() <= given.len() } else { wanted.len() == given.len() };
    let same = wanted.iter().zip(&given).all(|(wanted, given)| match wanted {
        Segment::Literal(text) => text == given,
        Segment::Any | Segment::Named(_) => !given.is_empty(),
    });
    let headers =
        route.headers.iter().all(|(name, value)| request.headers.get_all(name).iter().any(|v| v == value));
    let query = request.query.as_deref().unwrap_or_default();
    let query = route.query.iter().all(|(name, value)| {
        let prefix = format!("{name}=");
        query.split('&').find(|pair| pair.starts_with(&prefix)) == Some(&format!("{name}={value}"))
    });
    let method = any_method || route.methods.is_empty() || route.methods.contains(&request.method);
    (fits && same && headers && query && method).then(|| {
        let wild = wanted.iter().map(|segment| !matches!(segment, Segment::Literal(_))).collect();
        let (headers, query) = (1000 - route.headers.len(), 1000 - route.query.len());
        (kind, suffix, route.path.rest, 1000 - wanted.len(), wild, route.methods.is_empty(), headers, query)
    })
}

fn model(routes: &[RouteMatch], request: &Request) -> Option<usize> {
    let ranked = routes.iter().enumerate();
    ranked
        .filter_map(|(index, route)| Some((rank(route, request, false)?, index)))
        .min()
        .map(|(_, index)| index)
}

fn model_tie(a: &RouteMatch, b: &RouteMatch) -> bool {
    let shape = |route: &RouteMatch| {
        let segments = route.path.segments.iter().map(|segment| match segment {
            Segment::Literal(text) => Some(text.clone()),
            Segment::Any | Segment::Named(_) => None,
        });
        (segments.collect::<Vec<_>>(), route.path.rest)
    };
    let hosts = |route: &RouteMatch| {
        if route.hosts.is_empty() { vec![HostPattern::Any] } else { route.hosts.clone() }
    };
    let subset = |a: &RouteMatch, b: &RouteMatch| {
        a.headers.iter().all(|h| b.headers.contains(h)) && a.query.iter().all(|q| b.query.contains(q))
    };
    let methods =
        (a.methods.is_empty() && b.methods.is_empty()) || a.methods.iter().any(|m| b.methods.contains(m));
    shape(a) == shape(b)
        && hosts(a).iter().any(|host| hosts(b).contains(host))
        && subset(a, b)
        && subset(b, a)
        && methods
}

fn some_method() -> impl Strategy<Value = Method> {
    sample::select(vec![Method::GET, Method::PUT, Method::POST])
}

fn some_route() -> impl Strategy<Value = RouteMatch> {
    let hosts = ["*", "*.x", "*.b.x", "a.x", "b.x", "a.b.x"].map(|host| HostPattern::parse(host).unwrap());
    let segment = prop_oneof![
        3 => sample::select(vec!["a", "b", "c"]).prop_map(|text| Segment::Literal(text.to_owned())),
        1 => Just(Segment::Any),
        1 => sample::select(vec!["n", "m"]).prop_map(|name| Segment::Named(name.to_owned())),
    ];
    let path = (collection::vec(segment, 0..4), 0..3).prop_map(|(mut segments, end)| {
        if end == 2 && !segments.is_empty() {
            segments.push(Segment::Literal(String::new()));
        }
        PathPattern { segments, rest: end == 1 }
    });
    let header = sample::subsequence(vec![("x-a", "1"), ("x-b", "1")], 0..3);
    let query = sample::subsequence(vec![("p", "1"), ("q", "1")], 0..2);
    (
        sample::subsequence(hosts.to_vec(), 0..3),
        path,
        sample::subsequence(vec![Method::GET, Method::PUT], 0..3),
        header,
        query,
    )
        .prop_map(|(hosts, path, methods, headers, query)| RouteMatch {
            hosts,
            path,
            methods,
            headers: headers
                .into_iter()
                .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
                .collect(),
            query: query.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        })
}

fn some_request() -> impl Strategy<Value = Request> {
    let host = sample::select(vec!["a.x", "b.x", "A.B.x", "c.b.x", "x", "y", "d.c.b.X", ""]);
    let path = collection::vec(sample::select(vec!["a", "b", "c", "d", ""]), 1..5);
    let headers = collection::vec((sample::select(vec!["x-a", "x-b"]), sample::select(vec!["1", "2"])), 0..4);
    let query =
        option::of(collection::vec((sample::select(vec!["p", "q"]), sample::select(vec!["1", "2"])), 0..3));
    (host, path, some_method(), headers, query).prop_map(|(host, path, method, headers, query)| Request {
        host: host.to_owned(),
        path: format!("/{}", path.join("/")),
        method,
        headers: headers
            .into_iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect(),
        query: query.map(|pairs| {
            pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
        }),
    })
}

/// Without those that tie with an earlier one.
fn untied(routes: Vec<RouteMatch>) -> Vec<RouteMatch> {
    routes.into_iter().fold(Vec::new(), |mut kept, route| {
        if !kept.iter().any(|other| model_tie(other, &route)) {
            kept.push(route);
        }
        kept
    })
}

proptest! {
    #[test]
    fn it_finds_what_a_linear_scan_finds(
        routes in collection::vec(some_route(), 0..40),
        requests in collection::vec(some_request(), 1..40),
    ) {
        let routes = untied(routes);
        let router = Router::new(&routes).unwrap();
        for request in &requests {
            let answer = router.find(&request.view());
            match model(&routes, request) {
                Some(expected) => {
                    let Lookup::Found { route, params } = answer else {
                        return Err(proptest::test_runner::TestCaseError::fail(format!("{request:?} is not found")));
                    };
                    prop_assert_eq!(route, expected, "{:?}", request);
                    let wanted = request.path[1..].split('/').zip(&routes[route].path.segments);
                    let wanted: Vec<_> = wanted
                        .filter_map(|(text, segment)| match segment {
                            Segment::Named(name) => Some((name.as_str(), text)),
                            Segment::Any | Segment::Literal(_) => None,
                        })
                        .collect();
                    prop_assert_eq!(router.params(route, &params, &request.path).collect::<Vec<_>>(), wanted);
                }
                None => {
                    let mut expected: Vec<&Method> = routes
                        .iter()
                        .filter(|route| rank(route, request, true).is_some())
                        .flat_map(|route| &route.methods)
                        .collect();
                    expected.sort_by_key(|method| method.as_str());
                    expected.dedup();
                    let mut allow = match answer {
                        Lookup::MethodNotAllowed { allow } => allow,
                        Lookup::NotFound => Vec::new(),
                        Lookup::Found { route, .. } => {
                            let message = format!("{request:?} found {route}");
                            return Err(proptest::test_runner::TestCaseError::fail(message));
                        }
                    };
                    allow.sort_by(|a, b| a.as_str().cmp(b.as_str()));
                    prop_assert_eq!(allow.iter().collect::<Vec<_>>(), expected);
                }
            }
        }
    }

    #[test]
    fn it_finds_every_tie(routes in collection::vec(some_route(), 0..60)) {
        let ties = Router::new(&routes).err().unwrap_or_default();
        for tie in &ties {
            prop_assert!(tie.first < tie.second && model_tie(&routes[tie.first], &routes[tie.second]), "{:?}", tie);
        }
        for second in 0..routes.len() {
            let tied = routes[..second].iter().any(|first| model_tie(first, &routes[second]));
            prop_assert_eq!(tied, ties.iter().any(|tie| tie.second == second), "{:?}", routes[second]);
        }
    }
}
