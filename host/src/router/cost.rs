//! What a lookup costs with few and with many routes. A measurement, so it is ignored unless asked for:
//! `cargo test --release -p sluice router::cost -- --ignored --nocapture`.

use std::hint::black_box;
use std::time::Instant;

use http::HeaderMap;

use super::sample::{requests, routes};
use super::{Lookup, RequestView, Router};

const LOOKUPS: u32 = 200_000;

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
