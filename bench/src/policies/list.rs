//! The list of policies: what is sent, and what has to be seen of each. A new one is a file in
//! `bench/peers/sluice/policies/` and an entry here.

use super::Policy;
use super::credentials::{Credentials, basic};
use super::expect::Expect::{self, Asked, Header, NotSent, Sent, Status};
use super::site::keyed;
use crate::compare::keys::key;
use crate::compare::load::Request;
use crate::origin::{TOKEN, document};

/// A thousand requests, one for each key, and what to see of the first.
fn policy(name: &'static str, route: &'static str, file: &'static str) -> Policy {
    let requests = keyed(&format!("/{route}/128"));
    let twin = None;
    Policy { name, route, file: Some(file), base: Some("none"), requests, expects: Vec::new(), twin }
}

impl Policy {
    /// What else every request carries.
    fn with(mut self, name: &'static str, value: &str) -> Self {
        let requests = self.requests.into_iter().map(|request| request.header(name, value));
        self.requests = requests.collect();
        self
    }

    /// The first request, to another resource of the route.
    fn at(&self, last: &str) -> Request {
        let first = self.requests[0].clone();
        Request { path: format!("/{}/{last}", self.route), ..first }
    }

    /// The same without this header, or with another value.
    fn but(&self, name: &str, value: Option<&str>) -> Request {
        let mut request = self.at("128");
        request.headers.retain(|(header, _)| *header != name || value.is_some());
        let headers = request.headers.iter_mut().filter(|(header, _)| *header == name);
        headers.for_each(|(_, old)| value.unwrap_or_default().clone_into(old));
        request
    }

    /// The request passes, and more is seen.
    fn seen(mut self, more: impl FnOnce(&Self) -> Vec<Expect>) -> Self {
        self.expects = vec![Status(self.requests[0].clone(), 200)];
        let more = more(&self);
        self.expects.extend(more);
        self
    }

    /// Without this header, or with a wrong one, it is refused.
    fn proven_by(self, header: &'static str, wrong: &str) -> Self {
        self.seen(|it| vec![Status(it.but(header, None), 401), Status(it.but(header, Some(wrong)), 401)])
    }

    fn twin(self, location: &'static str) -> Self {
        Self { twin: Some(location), ..self }
    }

    fn base(self, route: &'static str) -> Self {
        Self { base: Some(route), ..self }
    }
}

/// Routes without steps, for requests of three kinds.
fn bases() -> Vec<Policy> {
    let base = |name, route, requests| {
        let base = Policy { base: None, file: None, requests, ..policy(name, route, "") };
        base.seen(|_| Vec::new())
    };
    let plain = base("no step", "none", keyed("/none/128"));
    let document_of = base("no step, 1 KiB of JSON from the origin", "none-get", keyed("/none/json"));
    let posted = vec![Request::post("/none/json", document())];
    vec![
        plain.twin("none"),
        document_of.twin("none-get"),
        base("no step, POST of 1 KiB", "none-post", posted).twin("none-post"),
    ]
}

/// What the gateway with all policies does.
pub(crate) fn gateway(credentials: &Credentials) -> Vec<Policy> {
    let mut all = bases();
    all.extend(consumers(credentials));
    all.extend(limits());
    all.extend(heads());
    all.extend(bodies());
    all.extend(elsewhere());
    all
}

fn consumers(credentials: &Credentials) -> Vec<Policy> {
    let mut basic_auth = policy("`basic-auth`, 1,000 users", "basic-auth", "basic-auth");
    for (number, request) in basic_auth.requests.iter_mut().enumerate() {
        request.headers.push(("authorization", basic(number)));
    }
    let jwt = |name, route, algorithm| {
        let token = credentials.bearer(algorithm);
        let forged = format!("{}AAAA{}", &token[..token.len() - 24], &token[token.len() - 20..]);
        policy(name, route, "jwt").with("authorization", &token).proven_by("authorization", &forged)
    };
    let [input, signature] = credentials.signature("/http-signature/128");
    let [_, other] = credentials.signature("/http-signature/129");
    vec![
        policy("`api-key`, 1,000 keys", "api-key", "api-key")
            .proven_by("x-api-key", "key-0123456789abcdef0123456789abcdef")
            .twin("api-key"),
        basic_auth.proven_by("authorization", &basic(1001)).twin("basic-auth"),
        jwt("`jwt`, HS256", "jwt-hs256", "HS256"),
        jwt("`jwt`, ES256", "jwt-es256", "ES256"),
        policy("`http-signature`, HMAC-SHA256", "http-signature", "http-signature")
            .with("signature-input", &input)
            .with("signature", &signature)
            .seen(|it| {
                let mut unsigned = it.at("128");
                unsigned.headers.retain(|(name, _)| !name.starts_with("signature"));
                vec![Status(unsigned, 401), Status(it.but("signature", Some(&other)), 401)]
            }),
        policy("`acl` behind `api-key`", "acl", "acl").base("api-key").seen(|it| {
            let other = Request { path: "/tight-acl/128".to_owned(), ..it.at("128") };
            vec![Status(other, 403)]
        }),
    ]
}

/// The third request on a tight route is one too many.
fn limited(it: &Policy) -> Vec<Expect> {
    let tight = Request { path: format!("/tight-{}/128", it.route), ..it.at("128") };
    [200, 200, 429].map(|status| Status(tight.clone(), status)).into()
}

fn sized(it: &Policy) -> Vec<Expect> {
    let large = it.at("128").header("content-length", "2000000");
    vec![Status(large, 413), Status(it.at(&"x".repeat(5000)), 414)]
}

/// A page of the shop may ask, another may not.
fn shared(it: &Policy) -> Vec<Expect> {
    let allowed = "access-control-allow-origin";
    let asked = it.at("128").header("access-control-request-method", "PUT");
    let mut preflight = Request { method: "OPTIONS", ..asked };
    let good = Status(preflight.clone(), 204);
    preflight.headers.retain(|(name, _)| *name != "origin");
    let other = preflight.header("origin", "https://other.example");
    vec![Header(it.at("128"), allowed, "https://shop.example"), good, Status(other, 403)]
}

fn secured(it: &Policy) -> Vec<Expect> {
    let policy = "content-security-policy";
    vec![
        Header(it.at("128"), "x-content-type-options", "nosniff"),
        Header(it.at("128"), policy, "default-src 'none'"),
    ]
}

fn limits() -> Vec<Policy> {
    vec![
        policy("`ip-filter`, 1,000 networks", "ip-filter", "ip-filter")
            .seen(|it| {
                let other = Request { path: "/tight-ip-filter/128".to_owned(), ..it.at("128") };
                vec![Status(other, 403)]
            })
            .twin("ip-filter"),
        policy("`rate-limit`, GCRA in memory, 1,000 counters", "rate-limit", "rate-limit")
            .seen(limited)
            .twin("rate-limit"),
        policy("`rate-limit`, fixed window, Kong's headers", "rate-limit-kong", "rate-limit-kong").seen(
            |it| {
                let mut seen = limited(it);
                seen.push(Header(it.at("128"), "x-ratelimit-remaining-minute", "99999"));
                seen
            },
        ),
        policy("`size-limit`", "size-limit", "size-limit").seen(sized).twin("size-limit"),
    ]
}

fn heads() -> Vec<Policy> {
    let both = |it: &Policy| {
        vec![Sent(it.at("echo"), "x-bench: 1\r\n"), Header(it.at("128"), "x-served-by", "bench")]
    };
    vec![
        policy("`headers`, one on each side", "headers", "headers").seen(both).twin("headers"),
        policy("`api-key`, `rate-limit`, `headers`", "together", "together")
            .seen(|it| {
                let unknown = it.but("x-api-key", Some("key-0123456789abcdef0123456789abcdef"));
                [both(it), vec![Status(unknown, 401)]].into_iter().flatten().collect()
            })
            .twin("together"),
        policy("`cors`", "cors", "cors").with("origin", "https://shop.example").seen(shared).twin("cors"),
        policy("`security-headers`", "security-headers", "security-headers")
            .seen(secured)
            .twin("security-headers"),
        policy("`request-id`, UUIDv7 and `traceparent`", "request-id", "request-id").seen(|it| {
            vec![Header(it.at("128"), "x-correlation-id", "-7"), Sent(it.at("echo"), "traceparent: 00-")]
        }),
    ]
}

fn bodies() -> Vec<Policy> {
    let posted = |name, route| Policy {
        requests: vec![Request::post(format!("/{route}/json"), document())],
        ..policy(name, route, route).base("none-post")
    };
    let rewritten = |it: &Policy| {
        let echo = it.at("echo");
        vec![Sent(echo.clone(), "\"bench\":1"), Sent(echo.clone(), "a-00003"), NotSent(echo, "hunter2")]
    };
    let compress = policy("`compress`, 1 KiB with gzip", "compress", "compress").base("none-get");
    let compress = Policy { requests: keyed("/compress/json"), ..compress };
    let pets = Policy {
        requests: vec![Request::post("/openapi-validate/v1/pets", pet("Rex").to_string())],
        ..posted("`openapi-validate`, POST of 1 KiB to the petstore", "openapi-validate")
    };
    vec![
        compress
            .with("accept-encoding", "gzip, br")
            .seen(|it| vec![Header(it.at("json"), "content-encoding", "gzip")])
            .twin("compress"),
        posted("`body-map`, JSON Patch of 1 KiB", "body-map").seen(rewritten).twin("json"),
        posted("`body-script`, jq on 1 KiB", "body-script").seen(rewritten).twin("json"),
        pets.seen(|it| {
            let wrong = Request::post(it.requests[0].path.as_str(), pet("").to_string());
            vec![Status(wrong, 400), Status(it.at("v1/nothing"), 404)]
        }),
    ]
}

/// About 1 KiB that the petstore's document describes.
fn pet(name: &str) -> serde_json::Value {
    let child = |number: usize| serde_json::json!({ "name": format!("Child {number}"), "kind": "dog", "tag": "young", "price": 120.5, "born": "2026-02-03" });
    let children: Vec<_> = (0..11).map(child).collect();
    serde_json::json!({ "name": name, "kind": "dog", "price": 99.5, "born": "2020-02-29", "secret": "hunter2",
                        "body": { "type": "dog", "barks": true }, "children": children })
}

fn elsewhere() -> Vec<Policy> {
    let cached = policy("`response-cache`, hit", "response-cache", "response-cache");
    let cached = Policy { requests: keyed("/response-cache/cacheable"), ..cached };
    let token = format!("Bearer {TOKEN}");
    vec![
        cached.seen(|it| vec![Header(it.at("cacheable"), "cache-status", "hit")]).twin("response-cache"),
        policy("`introspection`, asked before", "introspection", "introspection")
            .with("authorization", &token)
            .seen(|it| {
                let other = it.but("authorization", Some("Bearer another-one"));
                vec![Status(other, 401), Sent(it.at("echo"), "x-consumer-username: c0\r\n"), Asked("2")]
            }),
        policy("`ext-authz`, asks each time", "ext-authz", "ext-authz").with("authorization", &token).seen(
            |it| {
                vec![
                    Status(it.but("authorization", Some("Bearer another-one")), 403),
                    Sent(it.at("echo"), "x-user: u-1\r\n"),
                    Asked("3"),
                ]
            },
        ),
    ]
}

/// What the gateways whose counters are on Redis do.
pub(crate) fn counted_on_redis(leased: bool) -> Vec<Policy> {
    let name = if leased {
        "`rate-limit`, GCRA on Redis, leases of 1 %"
    } else {
        "`rate-limit`, GCRA on Redis, each request"
    };
    let mut bases = bases();
    bases.truncate(1);
    let base = Policy { twin: None, ..bases.remove(0) };
    let base = Policy {
        name: if leased { "no step, store with leases" } else { "no step, store on Redis" },
        ..base
    };
    vec![base, policy(name, "rate-limit", "rate-limit").seen(limited)]
}

/// What the gateway does whose proxy in front has verified the client's certificate.
pub(crate) fn behind_a_proxy() -> Vec<Policy> {
    let certificate = include_str!("../../../plugins/mtls/tests/data/billing.pem");
    let body: String = certificate.lines().filter(|line| !line.starts_with("-----")).collect();
    let mut bases = bases();
    bases.truncate(1);
    let base = Policy { twin: None, name: "no step, behind a trusted proxy", ..bases.remove(0) };
    let mtls =
        policy("`mtls`, a certificate of 0.6 KiB", "mtls", "mtls").with("client-cert", &format!(":{body}:"));
    vec![
        base,
        mtls.seen(|it| {
            vec![Status(it.but("client-cert", None), 401), Status(it.but("client-cert", Some(":AAAA:")), 403)]
        }),
    ]
}

/// nginx's locations.
pub(crate) fn nginx() -> Vec<Policy> {
    let known = key(0);
    let mut all = bases();
    let posted = Policy {
        requests: vec![Request::post("/json/json", document())],
        ..policy("JSON", "json", "").base("none-post")
    };
    let mut basic_auth = policy("basic auth", "basic-auth", "");
    for (number, request) in basic_auth.requests.iter_mut().enumerate() {
        request.headers.push(("authorization", basic(number)));
    }
    let compressed = policy("gzip", "compress", "").base("none-get");
    let compressed =
        Policy { requests: keyed("/compress/json"), ..compressed }.with("accept-encoding", "gzip, br");
    let cached = policy("cache", "response-cache", "");
    let cached = Policy { requests: keyed("/response-cache/cacheable"), ..cached };
    all.extend([
        basic_auth.proven_by("authorization", &basic(1001)),
        policy("networks", "ip-filter", "").seen(|_| Vec::new()),
        policy("sizes", "size-limit", "").seen(sized),
        policy("CORS", "cors", "").with("origin", "https://shop.example").seen(shared),
        policy("security headers", "security-headers", "").seen(secured),
        compressed.seen(|it| vec![Header(it.at("json"), "content-encoding", "gzip")]),
        cached.seen(|it| vec![Header(it.at("cacheable"), "x-cache", "HIT")]),
        policy("API key", "api-key", "").proven_by("x-api-key", &known.replace("key-", "yek-")),
        policy("rate limit", "rate-limit", "").seen(limited),
        policy("headers", "headers", "").seen(|it| {
            vec![Sent(it.at("echo"), "x-bench: 1\r\n"), Header(it.at("128"), "x-served-by", "bench")]
        }),
        policy("together", "together", "").proven_by("x-api-key", &known.replace("key-", "yek-")),
        posted.seen(|it| vec![Sent(it.at("echo"), "\"bench\":1"), NotSent(it.at("echo"), "hunter2")]),
    ]);
    all.into_iter().map(|policy| Policy { file: None, twin: None, ..policy }).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;

    use super::{Credentials, Policy, behind_a_proxy, counted_on_redis, gateway, nginx};
    use crate::harness::root;

    #[test]
    fn every_file_has_an_entry_and_every_entry_its_file_its_base_and_its_twin() {
        let (all, twins, behind) = (gateway(&Credentials::new().unwrap()), nginx(), behind_a_proxy());
        let policies = all.iter().chain(&behind);
        let named: BTreeSet<_> = policies.filter_map(|policy| policy.file).map(str::to_owned).collect();
        let files = fs::read_dir(root().join("bench/peers/sluice/policies")).unwrap();
        let files = files.map(|file| file.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned());
        assert_eq!(named, files.collect());
        for among in [&all, &behind, &counted_on_redis(true), &twins] {
            let has = |route: &str| among.iter().any(|policy: &Policy| policy.route == route);
            for policy in among {
                assert!(policy.base.is_none_or(has), "{}", policy.route);
                let twin = |route: &str| twins.iter().any(|twin| twin.route == route);
                assert!(policy.twin.is_none_or(twin), "{}", policy.route);
                assert!(!policy.expects.is_empty(), "{}", policy.route);
            }
        }
    }
}
