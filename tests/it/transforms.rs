//! Transformations end to end: bodies that change, bodies that are too much, bodies that are left alone.

use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};

use crate::harness::{Connection, Gateway, Origin, Setup, config, h2::H2, plugin};

fn start(steps: &[(&str, &str)], origin: impl std::fmt::Display) -> Gateway {
    let names: Vec<&str> = steps.iter().map(|(name, _)| *name).collect();
    let mut text = config::service(origin, &names);
    let mut setup = Setup::new();
    for (name, more) in steps {
        text += &config::plugin(name, more);
        setup = setup.plugin(name, plugin(name));
    }
    setup.start(&text)
}

/// What `gzip` makes of bytes, or back.
pub(crate) fn gzip(arguments: &[&str], bytes: &[u8]) -> Vec<u8> {
    let mut child = Command::new("gzip")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("gzip is on every Debian");
    let mut input = child.stdin.take().unwrap();
    let bytes = bytes.to_vec();
    let writer = std::thread::spawn(move || input.write_all(&bytes));
    let mut output = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut output).unwrap();
    let _ = writer.join().unwrap();
    assert!(child.wait().unwrap().success());
    output
}

/// Of the gateway's own answers steps see the head: what is said of them for the client stays, what is said of a body goes.
#[test]
fn a_failure_is_told_as_it_is() {
    let steps = [("cors", "config = { origins = [\"https://shop.example\"] }"), ("compress", "")];
    let gateway = start(&steps, crate::harness::ports::free());
    let asked = [("origin", "https://shop.example"), ("accept-encoding", "gzip")];
    let failed = gateway.get_with("/", &asked);
    assert_eq!(failed.header("access-control-allow-origin"), Some("https://shop.example"));
    assert_eq!(failed.header("content-encoding"), None);
    let problem = failed.problem(502);
    assert!(problem["type"].as_str().unwrap().ends_with("upstream-unreachable"), "{problem}");
}

/// So they do where the response is lost on its way through them, by no fault of theirs.
#[test]
fn a_response_that_is_lost_on_its_way_back_is_told_too() {
    let head = |length: usize| {
        format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n")
    };
    let long = head(9_999) + &"[1]".repeat(3_333);
    for (answer, kind) in [(long, "response-too-large"), (head(100) + "[", "upstream-incomplete")] {
        let origin = Origin::raw(move |mut stream, _| {
            let _ = stream.read(&mut [0; 1024])?;
            stream.write_all(answer.as_bytes())
        });
        let steps = [
            ("cors", "config = { origins = [\"https://shop.example\"] }"),
            (
                "body-script",
                "capabilities = [\"log\"]\nlimits = { body = \"2KiB\" }\nconfig = { response = { jq = \".\" } }",
            ),
        ];
        let gateway = start(&steps, origin.address);
        let failed = gateway.get_with("/", &[("origin", "https://shop.example")]);
        assert_eq!(failed.header("access-control-allow-origin"), Some("https://shop.example"), "{kind}");
        let problem = failed.problem(502);
        assert!(problem["type"].as_str().unwrap().ends_with(kind), "{problem}");
    }
}

#[test]
fn a_head_alone_says_nothing_of_the_body_that_a_step_changes() {
    let text = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 16000\r\n\r\n";
    let origin = Origin::always(text);
    let gateway = start(&[("compress", "")], origin.address);
    let head = |coding: &str| {
        let mut client = Connection::open(gateway.public);
        client.request("HEAD", "/", &[("accept-encoding", coding)], b"").expect(200)
    };
    assert_eq!(head("gzip").header("content-length"), None);
}

#[test]
fn responses_are_compressed_for_who_accepts_it() {
    let body = format!("{{\"rows\":\"{}\"}}", "abcdefgh".repeat(2000));
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let origin = Origin::always(head + &body);
    let gateway = start(&[("compress", "")], origin.address);
    let plain = gateway.get("/").expect(200);
    assert_eq!((plain.header("content-encoding"), plain.text()), (None, body.clone()));
    assert!(plain.header("vary").unwrap().to_lowercase().contains("accept-encoding"));
    let coded = gateway.get_with("/", &[("accept-encoding", "gzip")]).expect(200);
    assert_eq!(coded.header("content-encoding"), Some("gzip"));
    assert!(coded.body.len() < body.len() / 10, "{}", coded.body.len());
    assert_eq!(gzip(&["-dc"], &coded.body), body.as_bytes());
    for coding in ["br", "zstd"] {
        let coded = gateway.get_with("/", &[("accept-encoding", coding)]).expect(200);
        assert_eq!(coded.header("content-encoding"), Some(coding));
        assert!(coded.body.len() < body.len() / 10);
    }
}

#[test]
fn a_body_that_grows_a_thousandfold_is_stopped_at_the_bound() {
    let config = "limits = { time = \"200ms\", exchange_time = \"500ms\" }\nconfig = { request = { operations = [{ remove = \"$.a\" }], max_size = \"256KiB\" } }";
    let gateway = start(&[("body-map", config)], Origin::echo());
    let bomb = gzip(&["-9c"], format!("{{\"a\":\"{}\"}}", "0".repeat(64 << 20)).as_bytes());
    assert!(bomb.len() < 70 << 10, "it is a bomb: {}", bomb.len());
    let headers = [("content-type", "application/json"), ("content-encoding", "gzip")];
    let memory = gateway.memory();
    let problem = gateway.connect().request("POST", "/", &headers, &bomb).problem(413);
    assert!(problem["detail"].as_str().unwrap().contains("max_size"), "it says which bound: {problem}");
    assert!(gateway.memory().saturating_sub(memory) < 32 << 20, "nobody unpacked it");
    let small = gzip(&["-c"], br#"{"a":1,"b":2}"#);
    let answer = gateway.connect().request("POST", "/", &headers, &small).expect(200);
    assert_eq!(answer.json()["body"], r#"{"b":2}"#);
    assert_eq!(answer.sent("content-encoding"), None);
}

#[test]
fn a_gibibyte_passes_steps_for_heads_at_flat_memory() {
    const SIZE: u64 = 1 << 30;
    let origin = Origin::raw(|mut stream, _| {
        let mut head = [0; 4096];
        let _ = stream.read(&mut head)?;
        write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {SIZE}\r\n\r\n")?;
        let piece = vec![b'x'; 1 << 20];
        for _ in 0..SIZE >> 20 {
            stream.write_all(&piece)?;
        }
        Ok(())
    });
    let set = "config = { response = { set = { x-passed = \"yes\" } } }";
    let gateway = start(
        &[
            ("headers", set),
            ("security-headers", ""),
            ("request-id", "capabilities = [\"random\", \"clock\"]"),
        ],
        origin.address,
    );
    let before = gateway.memory();
    let mut client = std::net::TcpStream::connect(gateway.public).unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    let (mut buffer, mut read, mut most) = (vec![0; 1 << 20], 0_u64, 0);
    while read < SIZE {
        let count = client.read(&mut buffer).unwrap();
        assert!(count > 0, "it ended after {read} bytes");
        read += count as u64;
        if read >> 27 != (read - count as u64) >> 27 {
            most = most.max(gateway.memory());
        }
    }
    assert!(most.saturating_sub(before) < 16 << 20, "{} KiB more", most.saturating_sub(before) >> 10);
}

#[test]
fn a_gibibyte_goes_up_past_steps_for_heads_at_flat_memory() {
    const SIZE: u64 = 1 << 30;
    let origin = Origin::raw(|mut stream, _| {
        let (mut buffer, mut left) = (vec![0; 1 << 20], SIZE);
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        while left > 0 {
            left -= stream.read(&mut buffer)? as u64;
        }
        write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
    });
    let set = "config = { request = { set = { x-passed = \"yes\" } } }";
    let gateway = start(
        &[
            ("headers", set),
            ("ip-filter", "config = { allow = [\"127.0.0.0/8\"] }\ncapabilities = [\"log\"]"),
        ],
        origin.address,
    );
    let before = gateway.memory();
    let mut client = std::net::TcpStream::connect(gateway.public).unwrap();
    write!(client, "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {SIZE}\r\n\r\n").unwrap();
    let (piece, mut most) = (vec![b'x'; 1 << 20], 0);
    for number in 0..SIZE >> 20 {
        client.write_all(&piece).unwrap();
        if number % 128 == 0 {
            most = most.max(gateway.memory());
        }
    }
    let mut answer = [0; 15];
    client.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
    assert!(most.saturating_sub(before) < 16 << 20, "{} KiB more", most.saturating_sub(before) >> 10);
}

#[test]
fn a_preflight_is_answered_and_an_error_can_be_read() {
    let gateway = start(
        &[
            (
                "cors",
                "config = { origins = [\"https://shop.example\"], methods = [\"GET\", \"PUT\"], headers = [\"x-api-key\"] }",
            ),
            ("api-key", "capabilities = [\"consumers\"]"),
        ],
        Origin::echo(),
    );
    let mut client = gateway.connect();
    let preflight = [
        ("origin", "https://shop.example"),
        ("access-control-request-method", "PUT"),
        ("access-control-request-headers", "x-api-key"),
    ];
    let answer = client.request("OPTIONS", "/", &preflight, b"").expect(204);
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://shop.example"));
    assert!(answer.header("access-control-allow-methods").unwrap().contains("PUT"));
    let refused = client.request("GET", "/", &[("origin", "https://shop.example")], b"");
    assert_eq!(refused.header("access-control-allow-origin"), Some("https://shop.example"));
    refused.problem(401);
    let stranger = client.request("OPTIONS", "/", &[("origin", "https://evil.example"), preflight[1]], b"");
    assert_eq!(stranger.header("access-control-allow-origin"), None);
}

#[test]
fn a_script_changes_bodies_both_ways() {
    let config = "capabilities = [\"log\"]\nlimits = { time = \"100ms\", exchange_time = \"300ms\" }\n\
                  config = { request = { jq = \"{order: .id, by: $request.method}\" }, response = { jq = \".body | fromjson\" } }";
    let gateway = start(&[("body-script", config)], Origin::echo());
    let headers = [("content-type", "application/json")];
    let answer = gateway.connect().request("POST", "/", &headers, br#"{"id":7,"noise":1}"#).expect(200);
    assert_eq!(answer.json(), serde_json::json!({ "order": 7, "by": "POST" }));
    gateway.connect().request("POST", "/", &headers, b"{").problem(400);
}

#[test]
fn requests_are_held_to_their_document() {
    let document = std::fs::read_to_string(
        crate::harness::root().join("plugins/openapi-validate/tests/data/petstore-3.1.json"),
    )
    .unwrap();
    let text = config::service(Origin::echo(), &["openapi-validate"])
        + &config::plugin(
            "openapi-validate",
            "capabilities = [\"log\"]\nlimits = { time = \"100ms\", exchange_time = \"300ms\" }\nconfig = { document = \"${file:petstore.json}\" }",
        );
    let setup =
        Setup::new().plugin("openapi-validate", plugin("openapi-validate")).file("petstore.json", &document);
    // Compiles the module, which is large, into the cache that all tests share.
    assert_eq!(setup.check(&text), (0, "gateway.toml is in order\n".to_owned()));
    let gateway = setup.start(&text);
    let mut client = Connection::open(gateway.public);
    client.request("GET", "/v1/nowhere", &[], b"").problem(404);
    let json = [("content-type", "application/json")];
    let body = br#"{"name":"Ada","price":0,"children":[{"name":""}]}"#;
    let problem = client.request("POST", "/v1/pets", &json, body).problem(400);
    let errors = problem["errors"].as_array().expect("a list of errors").clone();
    for pointer in ["/price", "/children/0/name"] {
        assert!(errors.iter().any(|error| error["pointer"] == pointer), "{pointer} in {problem}");
    }
    client.request("POST", "/v1/pets", &json, br#"{"name":"Ada"}"#).expect(200);
    H2::open(gateway.public).request("POST", "/v1/pets", &[("content-type", "image/png")], b"x").expect(415);
}

#[test]
fn addresses_and_ids_and_security() {
    let gateway = start(
        &[
            ("ip-filter", "capabilities = [\"log\"]\nconfig = { allow = [\"127.0.0.0/8\"] }"),
            ("request-id", "capabilities = [\"random\", \"clock\"]"),
            ("security-headers", ""),
        ],
        Origin::echo(),
    );
    let answer = gateway.get("/").expect(200);
    assert!(answer.sent("x-correlation-id").is_some());
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    let closed = start(
        &[("ip-filter", "capabilities = [\"log\"]\nconfig = { deny = [\"127.0.0.0/8\"] }")],
        Origin::echo(),
    );
    closed.get("/").problem(403);
}
