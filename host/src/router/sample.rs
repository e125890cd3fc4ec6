//! A table of routes to measure with, and requests for it.

use http::Method;

use crate::config::{HostPattern, PathPattern, RouteMatch};

/// A tenth as many hosts as routes; under each, exact paths, named segments and prefixes, two per path.
pub(crate) fn routes(count: usize) -> Vec<RouteMatch> {
    let one = |index: usize| {
        let path = match index % 10 / 2 {
            0 => "/v1/orders/{order}/lines/{line}".to_owned(),
            1 => "/v1/orders/{order}".to_owned(),
            2 => format!("/v1/assets-{index}/**"),
            3 => format!("/v2/service-{index}/status"),
            _ => "/v2/**".to_owned(),
        };
        RouteMatch {
            hosts: vec![HostPattern::parse(&format!("api-{}.shop.example", index / 10)).expect("a host")],
            path: PathPattern::parse(&path).expect("a pattern"),
            methods: vec![if index.is_multiple_of(2) { Method::GET } else { Method::POST }],
            headers: Vec::new(),
            query: Vec::new(),
        }
    };
    (0..count).map(one).collect()
}

/// A request for each of `several` routes, spread over all of them.
pub(crate) fn requests(count: usize, several: usize) -> Vec<(String, String, Method)> {
    let mut random = 0x2545_F491_4F6C_DD1D_u64;
    let mut pick = move || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random % count as u64).expect("less than `count`")
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
