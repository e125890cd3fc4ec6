//! Capabilities: what a plugin can do once it was granted, and cannot otherwise.

use std::io::Write as _;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::harness::{Gateway, Origin, Setup, config, guest, wait};
use crate::vectors;

fn start(name: &str, more: &str) -> Gateway {
    let text = config::plugin(name, more) + &config::service(Origin::echo(), &[name]);
    Setup::new().plugin(name, guest(name)).start(&text)
}

#[test]
fn what_was_not_granted_is_refused_at_load_by_name() {
    for (name, capability, config) in [
        ("store", "store", ""),
        ("fetch", "fetch", ""),
        ("crypto", "crypto", "config = { secret = \"a\" }"),
        ("ambient", "clock", ""),
        ("ambient", "random", ""),
        ("say", "log", ""),
    ] {
        let text = config::plugin(name, config) + &config::service("127.0.0.1:1", &[name]);
        let (code, told) = Setup::new().plugin(name, guest(name)).check(&text);
        assert_eq!(code, 1, "{name}: {told}");
        assert!(told.contains(&format!("`{capability}`")) && told.contains("not granted"), "{name}: {told}");
    }
}

#[test]
fn the_store_keeps_values_and_counts_across_exchanges_and_workers() {
    let gateway = start("store", "capabilities = [\"store\"]");
    let told = |headers: &[(&str, &str)]| {
        let answer = gateway.get_with("/key", headers).expect(200);
        ["x-count", "x-before", "x-taken"].map(|name| answer.sent(name).unwrap())
    };
    assert_eq!(told(&[]), ["1", "nothing", "true 2"]);
    assert_eq!(told(&[]), ["2", "request 1", "true 1"]);
    assert_eq!(told(&[("x-forget", "1")]), ["3", "request 2", "true 0"]);
    assert_eq!(told(&[]), ["4", "nothing", "false 0"]);
    assert_eq!(gateway.get("/other").sent("x-count").unwrap(), "1");
}

#[test]
fn plugins_do_not_see_each_others_values() {
    let text = config::plugin("store", "capabilities = [\"store\"]")
        + &config::plugin("store", "capabilities = [\"store\"]")
            .replace("[plugins.store]", "[plugins.other]")
        + &config::upstream("service", Origin::echo())
        + "[routes.one]\nmatch = { hosts = [\"one\"] }\nsteps = [\"store\"]\nto = \"service\"\n\
           [routes.two]\nmatch = { hosts = [\"two\"] }\nsteps = [\"other\"]\nto = \"service\"\n";
    let gateway = Setup::new().plugin("store", guest("store")).start(&text);
    let count = |host: &str| gateway.connect().host(host).get("/key").sent("x-count").unwrap();
    assert_eq!([count("one"), count("one"), count("one")], ["1", "2", "3"]);
    assert_eq!(count("two"), "1", "the same module, key and step, but another plugin");
}

#[test]
fn the_clock_and_randomness_are_the_hosts() {
    // Time that a busy machine's hypervisor takes counts as the call's.
    let more = "capabilities = [\"clock\", \"random\"]\nlimits = { time = \"1s\", exchange_time = \"5s\" }";
    let gateway = start("ambient", more);
    let (first, second) = (gateway.get("/").expect(200), gateway.get("/").expect(200));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let told: u64 = first.sent("x-now").unwrap().parse().unwrap();
    assert!(now.abs_diff(told) < 60, "{told}");
    assert_eq!(first.sent("x-steady").as_deref(), Some("true"));
    assert_ne!(first.sent("x-random"), second.sent("x-random"));
}

#[test]
fn log_lines_carry_plugin_step_and_request() {
    let gateway = start("say", "capabilities = [\"log\"]");
    let answer = gateway.get_with("/", &[("x-say", "hello there")]).expect(200);
    let id = answer.header("x-request-id").unwrap();
    gateway.wait_for_log(&["ERROR", "loud hello there", "say", id]);
    gateway.wait_for_log(&["WARN", "odd hello there"]);
    gateway.wait_for_log(&["INFO", "plain hello there"]);
    assert!(!gateway.log().contains("quiet hello"), "the log's level is info");
}

/// Answers after a time that the path gives in milliseconds.
fn slow() -> Origin {
    Origin::new(|request, stream| {
        let milliseconds = request.line[1].trim_start_matches('/').parse().unwrap_or(0);
        wait::pause(Duration::from_millis(milliseconds));
        let body = "x".repeat(10);
        write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
    })
}

fn fetching(more: &str) -> (Gateway, Origin) {
    let other = slow();
    let text = config::plugin("fetch", &format!("capabilities = [\"fetch:other\"]\n{more}"))
        + &config::service(Origin::echo(), &["fetch"])
        + &config::upstream("other", other.address)
        + &config::upstream("forbidden", other.address);
    (Setup::new().plugin("fetch", guest("fetch")).start(&text), other)
}

#[test]
fn a_plugin_fetches_in_a_straight_line() {
    let (gateway, other) = fetching("");
    let answer = gateway.get_with("/", &[("x-fetch", "other /0")]).expect(200);
    assert_eq!(answer.sent("x-fetched").as_deref(), Some("200:10"));
    let answer = gateway.get_with("/", &[("x-fetch-response", "other /1, other /2")]).expect(200);
    assert_eq!(answer.header("x-fetched"), Some("200:10 200:10"), "also in the response phase");
    assert_eq!(other.requests().len(), 3);
    assert_eq!(gateway.get("/").expect(200).sent("x-fetched"), None);
}

#[test]
fn fetches_of_one_call_run_side_by_side_and_hold_nobody_up() {
    let (gateway, _) = fetching("");
    let mut slow = gateway.connect();
    slow.send("GET / HTTP/1.1\r\nhost: a\r\nx-fetch: other /600, other /600, other /600\r\n\r\n");
    let start = Instant::now();
    let mut others = 0;
    while start.elapsed() < Duration::from_millis(300) {
        gateway.get("/").expect(200);
        others += 1;
    }
    assert!(others > 10, "{others} exchanges beside one that waits");
    assert_eq!(slow.read().expect(200).sent("x-fetched").as_deref(), Some("200:10 200:10 200:10"));
    assert!(start.elapsed() < Duration::from_millis(1500), "{:?}", start.elapsed());
}

#[test]
fn a_fetch_has_its_limits() {
    let (gateway, other) = fetching("limits = { fetches = 2, fetch_timeout = \"300ms\" }");
    let told =
        |list: &str| gateway.get_with("/", &[("x-fetch", list)]).expect(200).sent("x-fetched").unwrap();
    assert_eq!(told("forbidden /0"), "Some(Denied)");
    assert_eq!(told("other /0, other /2000"), "200:10 Some(Timeout)");
    assert_eq!(other.requests().len(), 2, "what was denied was not sent");
    assert_eq!(told("other /0, other /0, other /0"), "200:10 200:10 Some(TooLarge)");
}

#[test]
fn a_fetch_to_nobody_is_told_so() {
    let text = config::plugin("fetch", "capabilities = [\"fetch:gone\"]")
        + &config::service(Origin::echo(), &["fetch"])
        + &config::upstream("gone", crate::harness::ports::free());
    let gateway = Setup::new().plugin("fetch", guest("fetch")).start(&text);
    let answer = gateway.get_with("/", &[("x-fetch", "gone /")]).expect(200);
    assert_eq!(answer.sent("x-fetched").as_deref(), Some("Some(Unavailable)"));
}

#[test]
fn cryptography_is_the_hosts() {
    let signatures: Vec<_> = vectors::SIGNATURES
        .iter()
        .map(|(algorithm, key, signature)| {
            format!("{{ algorithm = {algorithm}, key = {key:?}, signature = \"{signature}\" }}")
        })
        .collect();
    let text = config::plugin(
        "crypto",
        &format!(
            "capabilities = [\"crypto\", \"secret:mac\"]\nconfig = {{ secret = \"mac\", signatures = [{}] }}",
            signatures.join(", ")
        ),
    ) + &config::service(Origin::echo(), &["crypto"])
        + "[secrets]\nmac = \"${env:MAC}\"\n";
    let gateway = Setup::new().plugin("crypto", guest("crypto")).variable("MAC", "key").start(&text);
    let answer =
        gateway.get_with("/", &[("x-text", "The quick brown fox jumps over the lazy dog")]).expect(200);
    assert_eq!(
        answer.sent("x-digest").as_deref(),
        Some("d7a8fbb307d7809469ca9abcb0082e4f8d5651e46d3cdb762d02d0bf37c9e592")
    );
    assert_eq!(
        answer.sent("x-hmac").as_deref(),
        Some("f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8")
    );
    let verified = answer.sent("x-verified").unwrap();
    let expected: Vec<_> = vectors::NAMES.iter().map(|name| format!("{name}=true/false")).collect();
    assert_eq!(verified, format!("true false {}", expected.join(" ")));
    assert!(
        gateway.get_with("/", &[("x-text", "same")]).sent("x-verified").unwrap().starts_with("true true")
    );
}

#[test]
fn a_secret_that_was_not_granted_cannot_be_used() {
    let text = config::plugin(
        "crypto",
        "capabilities = [\"crypto\", \"secret:mac\"]\nconfig = { secret = \"other\" }",
    ) + &config::service("127.0.0.1:1", &["crypto"])
        + "[secrets]\nmac = \"sesame-one\"\nother = \"sesame-two\"\n";
    let (code, told) = Setup::new().plugin("crypto", guest("crypto")).check(&text);
    assert_eq!(code, 1, "{told}");
    assert!(told.contains("not granted") && !told.contains("sesame"), "{told}");
}
