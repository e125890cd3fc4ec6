//! What a lookup costs with few and with many routes. A measurement, so it is ignored unless asked for:
//! `cargo test --release -p sluice router::cost -- --ignored --nocapture`.

use std::hint::black_box;
use std::time::Instant;

use http::{HeaderMap, Method};

use super::{Lookup, RequestView, Router};
use crate::config::{HostPattern, PathPattern, RouteMatch};

const LOOKUPS: u32 = 200_000;

/// A tenth as many hosts as routes; under each, exact paths, named segments and prefixes, two per path.
fn routes(count: usize) -> Vec<RouteMatch> {
    let one = |index: usize| {
        let path = match index % 10 / 2 {
            0 => "/v1/orders/{order}/lines/{line}".to_owned(),
            1 => "/v1/orders/{order}".to_owned(),
            2 => format!("/v1/assets-{index}/**"),
            3 => format!("/v2/service-{index}/status"),
            _ => "/v2/**".to_owned(),
        };
        RouteMatch {
            hosts: vec![HostPattern::parse(&format!("api-{}.shop.example", index / 10)).unwrap()],
            path: PathPattern::parse(&path).unwrap(),
            methods: vec![if index.is_multiple_of(2) { Method::GET } else { Method::POST }],
            headers: Vec::new(),
            query: Vec::new(),
        }
    };
    (0..count).map(one).collect()
}

/// A request for each of `several` routes, spread over all of them.
fn requests(count: usize, several: usize) -> Vec<(String, String, Method)> {
    let mut random = 0x2545_F491_4F6C_DD1D_u64;
    let mut pick = move || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random % count as u64).unwrap()
    };
    (0..several)
        .map(|_| {
            let index = pick();
            let path = match index % 10 / 2 {
                0 => "/v1/orders/4711/lines/3".to_owned(),
                1 => "/v1/orders/4711".to_owned(),
                2 => format!("/v1/assets-{index}/css/site.css"),
                3 => format!("/v2/service-{index}/status"),
                _ => "/v2/whatever/else".to_owned(),
            };
            let method = if index.is_multiple_of(2) { Method::GET } else { Method::POST };
            (format!("api-{}.shop.example", index / 10), path, method)
        })
        .collect()
}

/// Nanoseconds per lookup, the best of several runs.
fn measure(count: usize, several: usize) -> f64 {
    let router = Router::new(&routes(count)).unwrap();
    let requests = requests(count, several);
    let headers = HeaderMap::new();
    let run = || {
        let start = Instant::now();
        for (host, path, method) in requests.iter().cycle().take(LOOKUPS as usize) {
            let view = RequestView { host, path, method, headers: &headers, query: None };
            let Lookup::Found { route, .. } = router.find(black_box(&view)) else { panic!("{host}{path}") };
            black_box(route);
        }
        start.elapsed().as_secs_f64() * 1e9 / f64::from(LOOKUPS)
    };
    (0..15).map(|_| run()).fold(f64::INFINITY, f64::min)
}

#[test]
#[ignore = "a measurement"]
#[allow(clippy::print_stdout, reason = "the figures are for people")]
fn ten_thousand_routes_cost_what_a_hundred_do() {
    for several in [50, 1_000, 10_000] {
        for count in [100, 1_000, 10_000] {
            println!(
                "{count:>6} routes, {several:>6} different requests: {:6.1} ns",
                measure(count, several)
            );
        }
    }
}
