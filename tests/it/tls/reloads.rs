//! Certificates that change while they are in use.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio_rustls::rustls::version::{TLS12, TLS13};

use super::client::{Authority, Client, ask};
use super::{plain_probe, setup, start, text};
use crate::harness::{Setup, wait};

#[test]
fn a_hundred_certificates_are_put_in_place_and_no_request_fails() {
    let authority = Authority::new("servers");
    let pair = authority.issue(&["a.example"]);
    let pairs = [("a", &pair)];
    let gateway = setup(&pairs).start(&text(&pairs, "", "[reload]\ndebounce = \"10ms\"\n"));
    let (over, served) = (AtomicBool::new(false), AtomicUsize::new(0));
    let probe = plain_probe(&gateway);
    std::thread::scope(|scope| {
        // New connections of both versions, with sessions and without, and one that lasts.
        for version in [&TLS12, &TLS13] {
            let (authority, over, served, address) = (&authority, &over, &served, gateway.public);
            scope.spawn(move || {
                let remembering = Client::with(authority, &["http/1.1"], None, &[version]);
                let mut lasting = remembering.connect(address, "a.example").unwrap();
                while !over.load(Ordering::Relaxed) {
                    let fresh = Client::with(authority, &[], None, &[version]);
                    assert_eq!(fresh.ask(address, "a.example").unwrap().status, 200);
                    assert_eq!(remembering.ask(address, "a.example").unwrap().status, 200);
                    assert_eq!(ask(&mut lasting, "a.example").unwrap().status, 200);
                    served.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let mut generation = gateway.generation();
        for round in 0..100 {
            let next = authority.issue(&["a.example", &format!("n{round}.example")]);
            // Key and certificate are two files: between them they do not match, and the old pair goes on.
            gateway.write("a.key", &next.key);
            gateway.write("a.pem", &next.cert);
            generation = gateway.wait_for_generation_after(generation);
            // It is shown from the next handshake on.
            let name = format!("n{round}.example");
            assert_eq!(Client::new(&authority).ask(gateway.public, &name).unwrap().status, 200, "{name}");
        }
        let before = served.load(Ordering::Relaxed);
        wait::until("they are served after the last", || served.load(Ordering::Relaxed) > before + 4);
        over.store(true, Ordering::Relaxed);
    });
    probe.finish();
}

#[test]
fn a_pair_that_does_not_match_leaves_the_old_one_serving() {
    let authority = Authority::new("servers");
    let (pair, other) = (authority.issue(&["a.example"]), authority.issue(&["a.example"]));
    let gateway = start(&[("a", &pair)], "");
    for (name, content, words) in [
        ("a.key", other.key.as_str(), "it is the key of another certificate"),
        ("a.key", "nonsense", "expected a private key in PEM"),
        (
            "a.key",
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
            "it is no key that can be used",
        ),
        ("a.pem", "", "there is no certificate in it"),
    ] {
        gateway.write(name, content);
        let answer = gateway.reload();
        assert_eq!(answer.status, 422, "{name}: {}", answer.text());
        assert!(answer.text().contains(words), "{words}: {}", answer.text());
        assert_eq!(Client::new(&authority).ask(gateway.public, "a.example").unwrap().status, 200);
        gateway.write("a.key", &pair.key);
        gateway.write("a.pem", &pair.cert);
    }
    assert_eq!(gateway.reload().expect(200).json()["result"], "unchanged");
}

#[test]
fn a_certificate_is_warned_of_before_it_ends() {
    let authority = Authority::new("servers");
    let (good, late) = (authority.issue(&["a.example"]), authority.issue_until(&["b.example"], 2024));
    let pairs = [("a", &good), ("b", &late)];
    let (code, words) = setup(&pairs).check(&text(&pairs, "", ""));
    assert_eq!(code, 0, "{words}");
    assert!(words.contains("warning: gateway.toml:"), "{words}");
    assert!(words.contains("the certificate of `b.example` expired "), "{words}");
    assert!(!words.contains("a.example"), "{words}");
    let gateway = setup(&pairs).start(&text(&pairs, "", ""));
    let end =
        gateway.metrics().sum("sluice_listener_certificate_not_after_seconds", &[("listener", "public")]);
    assert_eq!(end, 1_704_067_200.0, "the first of 2024");
    gateway.wait_for_log(&["the certificate of `b.example` expired"]);
}

#[test]
fn what_is_wrong_with_files_is_told_with_its_place() {
    let authority = Authority::new("servers");
    let (pair, other) = (authority.issue(&["a.example"]), authority.issue(&["b.example"]));
    let check = |setup: Setup, tls: &str| {
        let text = format!("[listeners.public]\nbind = \"@public@\"\ntls = {{ {tls} }}\n");
        let (code, words) = setup.check(&(crate::harness::config::service("127.0.0.1:1", &[]) + &text));
        assert_eq!(code, 1, "{words}");
        words
    };
    let files = || setup(&[("a", &pair), ("b", &other)]);
    for (tls, words) in [
        ("cert = \"a.pem\", key = \"b.key\"", "the key cannot be used: it is the key of another certificate"),
        ("cert = \"none.pem\", key = \"a.key\"", "cannot read"),
        (
            "cert = \"a.key\", key = \"a.key\"",
            "the certificate cannot be used: there is no certificate in it",
        ),
        (
            "cert = \"a.pem\", key = \"a.key\", client_auth = \"required\", client_ca = \"a.key\"",
            "the certificate authority of clients cannot be used",
        ),
        (
            "cert = \"a.pem\", key = \"a.key\", client_auth = \"required\", client_ca = \"a.pem\", client_crl = \"a.pem\"",
            "the revocation list cannot be used: there is no list in it",
        ),
    ] {
        let found = check(files(), tls);
        assert!(found.contains(words), "{words}: {found}");
        assert!(found.contains("gateway.toml:"), "{found}");
    }
    let chain = setup(&[("a", &pair)]).file("chain.pem", pair.cert.clone() + &other.cert);
    let found = check(chain, "cert = \"chain.pem\", key = \"a.key\"");
    assert!(
        found.contains("its chain is out of order: certificate 1 was not issued by certificate 2"),
        "{found}"
    );
}
