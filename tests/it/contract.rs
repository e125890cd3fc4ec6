//! What the contract gives policies beyond the plain phases: answers from a chunk, bodies left alone, failures seen.

use crate::harness::{Origin, Setup, config, guest, plugin};

#[test]
fn a_chunk_may_be_answered_in_the_middle_of_a_body() {
    let text = config::plugin("chunks", "capabilities = [\"log\"]")
        + &config::plugin("headers", "config = { response = { set = { x-passed = \"yes\" } } }")
        + &config::service(Origin::echo(), &["headers", "chunks"]);
    let setup = Setup::new().plugin("chunks", guest("chunks")).plugin("headers", plugin("headers"));
    let gateway = setup.start(&text);
    let mut client = gateway.connect();
    client.send("POST /a HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n");
    // A piece of its own, which the step will not let through.
    client.send("6\r\nstop!!\r\n");
    let answer = client.read();
    assert_eq!(answer.header("x-passed"), Some("yes"), "it passes the response phases of the steps before");
    let problem = answer.problem(413);
    assert!(problem["type"].as_str().unwrap().ends_with("stopped"), "{problem}");
    assert_eq!(problem["step"], "chunks");
    gateway.connect().request("POST", "/b", &[], b"go on").expect(200);
}

#[test]
fn an_answer_to_a_failure_shows_its_head_to_the_steps() {
    let text = config::plugin("headers", "config = { response = { set = { x-passed = \"yes\" } } }")
        + &config::plugin("trap", "")
        + &config::upstream("service", "127.0.0.1:1")
        + &config::route("gone", "/gone", &["headers"])
        + &config::route("trap", "/trap", &["headers", "trap"]);
    let setup = Setup::new().plugin("trap", guest("trap")).plugin("headers", plugin("headers"));
    let gateway = setup.start(&text);
    let answer = gateway.get("/gone");
    assert_eq!(answer.header("x-passed"), Some("yes"));
    answer.problem(502);
    let answer = gateway.get_with("/trap", &[("x-misbehave", "1")]);
    assert_eq!(answer.header("x-passed"), Some("yes"));
    assert_eq!(answer.problem(500)["step"], "trap");
}

#[test]
fn a_trusted_proxy_tells_the_scheme_and_anybody_else_nothing() {
    let set = "config = { request = { set = { x-scheme = \"{scheme}\" } } }";
    let text = |trusted: &str| {
        config::plugin("headers", set)
            + &config::service(Origin::echo(), &["headers"])
            + &format!("[listeners.public]\nbind = \"@public@\"\n{trusted}\n")
    };
    let start = |trusted: &str| Setup::new().plugin("headers", plugin("headers")).start(&text(trusted));
    let sent = [("x-forwarded-proto", "https"), ("client-cert", ":AAAA:"), ("client-cert-chain", ":AAAA:")];
    let answer = start("").get_with("/", &sent).expect(200);
    assert_eq!(answer.sent("x-scheme").as_deref(), Some("http"));
    assert_eq!((answer.sent("client-cert"), answer.sent("client-cert-chain")), (None, None));
    let answer = start("trusted_proxies = [\"127.0.0.0/8\"]").get_with("/", &sent).expect(200);
    assert_eq!(answer.sent("x-scheme").as_deref(), Some("https"));
    assert_eq!(answer.sent("client-cert").as_deref(), Some(":AAAA:"));
}
