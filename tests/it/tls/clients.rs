//! Clients that show certificates, may, or have to.

use tokio_rustls::rustls::version::{TLS12, TLS13};

use super::client::{Authority, Client, Pair, is_resumed};
use super::{refusals, setup, text};
use crate::harness::{Gateway, Origin, config, plugin, wait};

struct Parties {
    servers: Authority,
    partners: Authority,
    strangers: Authority,
    server: Pair,
}

impl Parties {
    fn new() -> Self {
        let servers = Authority::new("servers");
        let server = servers.issue(&["a.example"]);
        Self { servers, partners: Authority::new("partners"), strangers: Authority::new("strangers"), server }
    }

    fn start(&self, ca: &str, more: &str) -> Gateway {
        let pairs = [("a", &self.server)];
        setup(&pairs).file("partners.pem", ca).start(&text(&pairs, more, ""))
    }

    fn showing(&self, pair: Option<&Pair>) -> [Client; 2] {
        [&TLS12, &TLS13].map(|version| Client::with(&self.servers, &[], pair, &[version]))
    }
}

fn status(client: &Client, gateway: &Gateway) -> Option<u16> {
    client.ask(gateway.public, "a.example").ok().map(|answer| answer.status)
}

#[test]
fn certificates_of_clients_are_verified_and_told_to_upstreams() {
    let parties = Parties::new();
    let (partner, stranger) =
        (parties.partners.issue(&["p.example"]), parties.strangers.issue(&["p.example"]));
    // Several authorities in one file.
    let ca = Authority::new("others").pem() + &parties.partners.pem();
    for (auth, without) in [("optional", Some(200)), ("required", None)] {
        let more =
            format!(", client_auth = \"{auth}\", client_ca = \"partners.pem\", forward_client_cert = true");
        let gateway = parties.start(&ca, &more);
        for client in parties.showing(Some(&partner)) {
            let answer = client.ask(gateway.public, "a.example").unwrap();
            let body: String = partner.cert.lines().filter(|line| !line.starts_with('-')).collect();
            assert!(answer.body.contains(&format!("\"client-cert\": \":{body}:\"")), "{answer:?}");
        }
        for client in parties.showing(None) {
            assert_eq!(status(&client, &gateway), without, "{auth}");
        }
        for client in parties.showing(Some(&stranger)) {
            assert_eq!(status(&client, &gateway), None, "{auth}");
        }
        wait::until("they are counted", || refusals(&gateway, "tls-client-certificate") >= 2.0);
    }
}

#[test]
fn revoked_certificates_are_refused() {
    let parties = Parties::new();
    let (good, revoked) = (parties.partners.issue(&["p.example"]), parties.partners.issue(&["q.example"]));
    let more = ", client_auth = \"required\", client_ca = \"partners.pem\", client_crl = \"revoked.pem\"";
    let pairs = [("a", &parties.server)];
    let gateway = setup(&pairs)
        .file("partners.pem", parties.partners.pem())
        .file("revoked.pem", parties.partners.revoke(&[&revoked]))
        .start(&text(&pairs, more, ""));
    for client in parties.showing(Some(&good)) {
        assert_eq!(status(&client, &gateway), Some(200));
    }
    for client in parties.showing(Some(&revoked)) {
        assert_eq!(status(&client, &gateway), None);
    }
    // From the next handshake on, a session that began before included.
    let generation = gateway.generation();
    let [_, client] = parties.showing(Some(&good));
    assert_eq!(status(&client, &gateway), Some(200));
    gateway.write("revoked.pem", parties.partners.revoke(&[&revoked, &good]));
    gateway.wait_for_generation_after(generation);
    assert_eq!(status(&client, &gateway), None);
}

#[test]
fn sessions_are_taken_up_again_but_not_under_other_rules() {
    let parties = Parties::new();
    let partner = parties.partners.issue(&["p.example"]);
    let more = ", client_auth = \"required\", client_ca = \"partners.pem\"";
    let gateway = parties.start(&parties.partners.pem(), more);
    for client in parties.showing(Some(&partner)) {
        let shake = || {
            let mut tls = client.connect(gateway.public, "a.example").unwrap();
            // Tickets of TLS 1.3 come after the handshake.
            assert_eq!(super::ask(&mut tls, "a.example").unwrap().status, 200);
            is_resumed(&tls)
        };
        shake();
        assert!(shake());
        // Another certificate leaves sessions as they are.
        let (generation, next) = (gateway.generation(), parties.servers.issue(&["a.example"]));
        gateway.write("a.key", &next.key);
        gateway.write("a.pem", &next.cert);
        gateway.wait_for_generation_after(generation);
        assert!(shake());
    }
    let [_, client] = parties.showing(Some(&partner));
    assert_eq!(status(&client, &gateway), Some(200));
    let generation = gateway.generation();
    gateway.write("partners.pem", parties.strangers.pem());
    gateway.wait_for_generation_after(generation);
    assert_eq!(status(&client, &gateway), None, "who was trusted is trusted no more");
}

#[test]
fn the_policy_mtls_finds_the_consumer_of_a_certificate() {
    let parties = Parties::new();
    let partner = parties.partners.issue(&["p.example"]);
    let pairs = [("a", &parties.server)];
    let listener = "[listeners.public]\nbind = \"@public@\"\ntls = { cert = \"a.pem\", key = \"a.key\", client_auth = \"optional\", client_ca = \"partners.pem\" }\n";
    let config = config::plugin("mtls", "capabilities = [\"consumers\", \"crypto\", \"clock\"]\n")
        + "[consumers.partner]\ncertificates = [\"p.example\"]\n"
        + &config::service(Origin::echo(), &["mtls"])
        + listener;
    let gateway = setup(&pairs)
        .file("partners.pem", parties.partners.pem())
        .plugin("mtls", plugin("mtls"))
        .start(&config);
    for client in parties.showing(Some(&partner)) {
        let answer = client.ask(gateway.public, "a.example").unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(answer.body.contains("\"x-consumer-username\": \"partner\""), "{answer:?}");
    }
    for client in parties.showing(None) {
        assert_eq!(status(&client, &gateway), Some(401));
    }
}
