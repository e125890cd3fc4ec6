//! Headers that the gateway takes away, sets and keeps.

use crate::harness::{Gateway, Origin, config, h2::H2};

#[test]
fn the_upstream_learns_who_asked_and_by_which_way() {
    let gateway = Gateway::start(&config::service(Origin::echo(), &[]));
    let answer = gateway.connect().host("shop.example").get("/").expect(200);
    assert_eq!(answer.sent("host").as_deref(), Some("shop.example"));
    assert_eq!(answer.sent("x-forwarded-for").as_deref(), Some("127.0.0.1"));
    assert_eq!(answer.sent("x-forwarded-proto").as_deref(), Some("http"));
    assert_eq!(answer.sent("x-forwarded-host").as_deref(), Some("shop.example"));
    assert_eq!(answer.sent("via").as_deref(), Some("1.1 sluice"));
    assert_eq!(answer.header("via"), Some("1.1 sluice"));
    let id = answer.header("x-request-id").unwrap().to_owned();
    assert_eq!(answer.sent("x-request-id"), Some(id.clone()));
    assert_eq!(id.len(), 32);
    assert_ne!(gateway.get("/").header("x-request-id").unwrap(), id);

    let answer = H2::open(gateway.public).get("/").expect(200);
    assert_eq!(answer.sent("via").as_deref(), Some("2 sluice"));
}

#[test]
fn a_strangers_claims_are_not_passed_on() {
    let gateway = Gateway::start(&config::service(Origin::echo(), &[]));
    let claims = [
        ("x-forwarded-for", "10.1.1.1"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "admin.example"),
        ("x-request-id", "chosen"),
        ("forwarded", "for=10.1.1.1"),
        ("x-real-ip", "10.1.1.1"),
        ("true-client-ip", "10.1.1.1"),
        ("x-client-ip", "10.1.1.1"),
        ("x-cluster-client-ip", "10.1.1.1"),
        ("x-original-url", "/admin"),
        ("x-rewrite-url", "/admin"),
        ("x_real_ip", "10.1.1.1"),
        ("x_forwarded_for", "10.1.1.1"),
    ];
    let answer = gateway.get_with("/", &claims).expect(200);
    assert_eq!(answer.sent("x-forwarded-for").as_deref(), Some("127.0.0.1"));
    assert_eq!(answer.sent("x-forwarded-proto").as_deref(), Some("http"));
    assert_eq!(answer.sent("x-forwarded-host"), Some(gateway.public.to_string()));
    assert_ne!(answer.sent("x-request-id").as_deref(), Some("chosen"));
    for (gone, _) in &claims[4..] {
        assert_eq!(answer.sent(gone), None, "{gone}");
    }
}

#[test]
fn a_trusted_proxy_is_believed() {
    let text = config::service(Origin::echo(), &[])
        + "[listeners.public]\nbind = \"@public@\"\ntrusted_proxies = [\"127.0.0.0/8\"]\n";
    let gateway = Gateway::start(&text);
    let claims = [
        ("x-forwarded-for", "203.0.113.9"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "shop.example"),
        ("x-request-id", "from-the-front"),
    ];
    let answer = gateway.get_with("/", &claims).expect(200);
    assert_eq!(answer.sent("x-forwarded-for").as_deref(), Some("203.0.113.9, 127.0.0.1"));
    assert_eq!(answer.sent("x-forwarded-proto").as_deref(), Some("https"));
    assert_eq!(answer.sent("x-forwarded-host").as_deref(), Some("shop.example"));
    assert_eq!(answer.header("x-request-id"), Some("from-the-front"));
    assert_eq!(gateway.wait_for_access(&["from-the-front"])["client"], "203.0.113.9");
}

#[test]
fn a_trusted_proxy_may_speak_forwarded() {
    let text = config::service(Origin::echo(), &[])
        + "[listeners.public]\nbind = \"@public@\"\ntrusted_proxies = [\"127.0.0.0/8\"]\n";
    let gateway = Gateway::start(&text);
    let said = "for=\"[2001:db8::7]:4711\";proto=https;host=shop.example";
    let answer = gateway.get_with("/told", &[("forwarded", said)]).expect(200);
    assert_eq!(answer.sent("x-forwarded-for").as_deref(), Some("2001:db8::7, 127.0.0.1"));
    assert_eq!(answer.sent("x-forwarded-proto").as_deref(), Some("https"));
    assert_eq!(answer.sent("x-forwarded-host").as_deref(), Some("shop.example"));
    assert_eq!(answer.sent("forwarded"), Some(format!("{said}, for=127.0.0.1;proto=http")));
    assert_eq!(gateway.wait_for_access(&["/told"])["client"], "2001:db8::7");
}

#[test]
fn fields_of_the_clients_connection_stay_there() {
    let gateway = Gateway::start(&config::service(Origin::echo(), &[]));
    let mut client = gateway.connect();
    client.send(
        "GET / HTTP/1.1\r\nhost: a\r\nconnection: keep-alive, X-Mine, x-forwarded-for, host, authorization\r\n\
         x-mine: 1\r\nkeep-alive: timeout=5\r\nproxy-connection: keep-alive\r\nte: gzip\r\nupgrade: h2c\r\n\
         authorization: Bearer x\r\nx-other: 2\r\n\r\n",
    );
    let answer = client.read().expect(200);
    for gone in ["connection", "x-mine", "keep-alive", "proxy-connection", "te", "upgrade"] {
        assert_eq!(answer.sent(gone), None, "{gone}");
    }
    assert_eq!(answer.sent("x-other").as_deref(), Some("2"));
    assert_eq!(answer.sent("x-forwarded-for").as_deref(), Some("127.0.0.1"), "set by the gateway");
    assert_eq!(answer.sent("authorization").as_deref(), Some("Bearer x"), "not the client's to take away");
    assert_eq!(answer.sent("host").as_deref(), Some("a"));
}

#[test]
fn fields_of_the_upstreams_connection_stay_there() {
    let origin = Origin::always(
        "HTTP/1.1 200 OK\r\nconnection: x-inner, keep-alive\r\nx-inner: 1\r\nkeep-alive: timeout=9\r\n\
         proxy-authenticate: Basic\r\nset-cookie: a=1\r\nset-cookie: b=2\r\ncontent-length: 2\r\n\r\nok",
    );
    let gateway = Gateway::start(&config::service(origin.address, &[]));
    let mut client = gateway.connect();
    let answer = client.get("/").expect(200);
    for gone in ["x-inner", "keep-alive"] {
        assert_eq!(answer.header(gone), None, "{gone}");
    }
    let cookies: Vec<_> = answer.headers.iter().filter(|(name, _)| name == "set-cookie").collect();
    assert_eq!(cookies.len(), 2);
    client.get("/").expect(200);

    let answer = H2::open(gateway.public).get("/").expect(200);
    assert_eq!(answer.header("connection"), None);
}
