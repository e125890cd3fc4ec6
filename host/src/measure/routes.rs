//! Route lookups, as `exchange` makes one for every request.

use std::hint::black_box;

use http::{HeaderMap, Method};

use crate::router::sample;
use crate::router::{Lookup, RequestView, Router};

/// Different requests, asked in turn: more than a branch predictor learns by heart.
const REQUESTS: usize = 1_000;

/// A table of routes and requests for it.
pub struct Routes {
    router: Router,
    requests: Vec<(String, String, Method)>,
    next: usize,
    headers: HeaderMap,
}

impl Routes {
    /// A table of so many routes, a multiple of ten.
    pub fn new(count: usize) -> Self {
        let router = Router::new(&sample::routes(count)).expect("no two of the routes tie");
        Self { router, requests: sample::requests(count, REQUESTS), next: 0, headers: HeaderMap::new() }
    }

    /// Looks up the route of the next request.
    pub fn find(&mut self) {
        let (host, path, method) = &self.requests[self.next];
        self.next = (self.next + 1) % REQUESTS;
        let request = RequestView { host, path, method, headers: &self.headers, query: None };
        let found = self.router.find(black_box(&request));
        assert!(matches!(black_box(&found), Lookup::Found { .. }), "every request has a route");
    }
}
