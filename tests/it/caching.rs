//! Responses that are kept, and requests that are too large or not signed.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::{digest, hmac};
use data_encoding::BASE64;

use crate::harness::{Gateway, Origin, Setup, config, plugin, wait};

/// An origin whose responses say how often it was asked.
fn counting(headers: &'static str) -> (Origin, Arc<AtomicUsize>) {
    let asked = Arc::<AtomicUsize>::default();
    let origin = {
        let asked = Arc::clone(&asked);
        Origin::new(move |_, stream| {
            let body = format!("answer {}", asked.fetch_add(1, Ordering::SeqCst) + 1);
            write!(stream, "HTTP/1.1 200 OK\r\n{headers}content-length: {}\r\n\r\n{body}", body.len())
        })
    };
    (origin, asked)
}

fn caching(origin: &Origin, more: &str) -> Gateway {
    let text = config::plugin(
        "response-cache",
        &format!(
            "capabilities = [\"store\", \"clock\", \"crypto\", \"random\", \"log\"]\nlimits = {{ instances = 1000 }}\nconfig = {{ status_header = \"x-cache\"{more} }}"
        ),
    ) + &config::service(origin.address, &["response-cache"]);
    Setup::new().plugin("response-cache", plugin("response-cache")).start(&text)
}

#[test]
fn a_response_is_kept_for_as_long_as_it_says() {
    let (origin, asked) = counting("cache-control: max-age=60\r\netag: \"a\"\r\n");
    let gateway = caching(&origin, "");
    assert_eq!(gateway.get("/a").header("x-cache"), Some("miss"));
    let hit = gateway.get("/a").expect(200);
    assert_eq!((hit.text().as_str(), hit.header("x-cache")), ("answer 1", Some("hit")));
    assert!(hit.header("age").is_some() && hit.header("cache-status").is_some());
    let fresh = gateway.get_with("/a", &[("if-none-match", "\"a\"")]).expect(304);
    assert!(fresh.body.is_empty());
    assert_eq!(gateway.get("/b").text(), "answer 2", "another target");
    // What is unsafe forgets what was kept.
    gateway.connect().request("POST", "/a", &[], b"x").expect(200);
    assert_eq!(gateway.get("/a").text(), "answer 4");
    gateway.get_with("/a", &[("authorization", "Bearer x")]).expect(200);
    assert_eq!(
        asked.load(Ordering::SeqCst),
        5,
        "whoever shows who he is is not answered from what others got"
    );
}

#[test]
fn of_many_who_want_the_same_one_asks() {
    let (asked, answers) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
    let origin = {
        let (asked, answers) = (Arc::clone(&asked), Arc::clone(&answers));
        Origin::new(move |_, stream| {
            asked.fetch_add(1, Ordering::SeqCst);
            wait::until("everyone is here", || answers.load(Ordering::SeqCst));
            stream.write_all(b"HTTP/1.1 200 OK\r\ncache-control: max-age=60\r\ncontent-length: 4\r\n\r\nsame")
        })
    };
    let gateway = caching(&origin, ", wait = \"30s\"");
    std::thread::scope(|scope| {
        for _ in 0..40 {
            scope.spawn(|| assert_eq!(gateway.get("/same").expect(200).text(), "same"));
        }
        // Nobody is answered before all of them have passed the request phase, as the one who asks or to wait.
        wait::until("everyone is here", || gateway.metrics().sum("sluice_exchanges", &[]) >= 40.0);
        answers.store(true, Ordering::SeqCst);
    });
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

/// Whom a step has let in gets what is for him; that no consumer stands for him makes it nobody else's.
#[test]
fn what_a_person_gets_is_kept_for_nobody_else() {
    for (said, times) in [("max-age=60", 2), ("public, max-age=60", 1)] {
        let asked = Arc::<AtomicUsize>::default();
        let origin = {
            let asked = Arc::clone(&asked);
            Origin::new(move |_, stream| {
                asked.fetch_add(1, Ordering::SeqCst);
                write!(stream, "HTTP/1.1 200 OK\r\ncache-control: {said}\r\ncontent-length: 2\r\n\r\nok")
            })
        };
        let service = Origin::always("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        let text = config::upstream("authelia", service.address)
            + &config::plugin(
                "ext-authz",
                "capabilities = [\"fetch:authelia\", \"crypto\"]\nconfig = { upstream = \"authelia\", path = \"/verify\" }",
            )
            + &config::plugin(
                "response-cache",
                "capabilities = [\"store\", \"clock\", \"crypto\", \"random\", \"log\"]",
            )
            + &config::service(origin.address, &["ext-authz", "response-cache"]);
        let gateway = Setup::new()
            .plugin("ext-authz", plugin("ext-authz"))
            .plugin("response-cache", plugin("response-cache"))
            .start(&text);
        for person in ["alice", "bob"] {
            gateway.get_with("/mine", &[("cookie", &format!("session={person}"))]).expect(200);
        }
        assert_eq!(asked.load(Ordering::SeqCst), times, "{said}");
    }
}

#[test]
fn what_may_not_be_kept_is_not() {
    for headers in [
        "cache-control: no-store\r\n",
        "cache-control: private, max-age=60\r\n",
        "cache-control: max-age=60\r\nset-cookie: a=b\r\n",
        "",
    ] {
        let (origin, asked) = counting(headers);
        let gateway = caching(&origin, "");
        gateway.get("/").expect(200);
        gateway.get("/").expect(200);
        assert_eq!(asked.load(Ordering::SeqCst), 2, "{headers:?}");
    }
}

#[test]
fn a_body_that_is_too_large_is_refused_stated_or_not() {
    let text = config::plugin("size-limit", "config = { request = \"1KiB\" }")
        + &config::service(Origin::echo(), &["size-limit"]);
    let gateway = Setup::new().plugin("size-limit", plugin("size-limit")).start(&text);
    gateway.connect().request("POST", "/", &[], &[b'x'; 1024]).expect(200);
    let mut client = gateway.connect();
    client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1025\r\n\r\n");
    client.read().problem(413);
    let mut client = gateway.connect();
    client.send("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n");
    client.send(format!("400\r\n{}\r\n", "x".repeat(1024)));
    client.send("1\r\nx\r\n");
    client.read().problem(413);
}

#[test]
fn a_signed_request_passes_once_and_no_other() {
    const SECRET: &str = "a secret of the consumer's and ours";
    let text = config::plugin(
        "http-signature",
        "capabilities = [\"crypto\", \"clock\", \"consumers\", \"store\"]\nconfig = { digest = \"if-present\", replay = true }",
    ) + &config::service(Origin::echo(), &["http-signature"])
        + &format!("[consumers.acme]\nsignatures = [{{ id = \"acme-1\", secret = \"{SECRET}\" }}]\n");
    let gateway = Setup::new().plugin("http-signature", plugin("http-signature")).start(&text);
    let created = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let body = b"{\"amount\":7}";
    let content = format!("sha-256=:{}:", BASE64.encode(digest::digest(&digest::SHA256, body).as_ref()));
    let host = gateway.public.to_string();
    let signed = |path: &str, nonce: &str| {
        let parameters = format!(
            "(\"@method\" \"@authority\" \"@path\" \"@query\" \"content-digest\");created={created};keyid=\"acme-1\";alg=\"hmac-sha256\";nonce=\"{nonce}\""
        );
        let base = format!(
            "\"@method\": POST\n\"@authority\": {host}\n\"@path\": {path}\n\"@query\": ?\n\"content-digest\": {content}\n\"@signature-params\": {parameters}"
        );
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes()), base.as_bytes());
        (format!("sig={parameters}"), format!("sig=:{}:", BASE64.encode(tag.as_ref())))
    };
    let send = |path: &str, (input, signature): &(String, String), body: &[u8]| {
        let headers =
            [("content-digest", content.as_str()), ("signature-input", input), ("signature", signature)];
        gateway.connect().host(&host).request("POST", path, &headers, body)
    };
    let good = signed("/pay", "n-1");
    let answer = send("/pay", &good, body).expect(200);
    assert_eq!(answer.sent("x-consumer-username").as_deref(), Some("acme"));
    send("/pay", &good, body).problem(401);
    send("/other", &signed("/pay", "n-2"), body).problem(401);
    send("/pay", &signed("/pay", "n-3"), b"{\"amount\":700}").problem(400);
    gateway.connect().request("POST", "/pay", &[], body).problem(401);
}
