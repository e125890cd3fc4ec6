//! Tokens of an OpenID provider whose keys rotate, and which is sometimes away.

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use data_encoding::BASE64URL_NOPAD as BASE64;
use serde_json::{Value, json};

use crate::harness::{Gateway, Origin, Setup, config, plugin, wait};

/// A key of the provider's.
struct Key {
    id: &'static str,
    pair: EcdsaKeyPair,
}

impl Key {
    fn new(id: &'static str) -> Arc<Self> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        Arc::new(Self { id, pair })
    }

    fn public(&self) -> Value {
        let point = self.pair.public_key().as_ref();
        json!({ "kty": "EC", "crv": "P-256", "kid": self.id, "use": "sig", "alg": "ES256",
                "x": BASE64.encode(&point[1..33]), "y": BASE64.encode(&point[33..]) })
    }

    /// A token that says it is signed with the key `kid`.
    fn token_as(&self, kid: &str, issuer: &str) -> String {
        let part = |value: Value| BASE64.encode(value.to_string().as_bytes());
        let header = part(json!({ "alg": "ES256", "typ": "at+jwt", "kid": kid }));
        let claims = json!({ "iss": issuer, "aud": "https://api.example", "sub": "u-1", "client_id": "app",
                             "exp": 4_102_444_800_u64, "iat": 1_767_225_600, "scope": "read" });
        let signed = format!("{header}.{}", part(claims));
        let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", BASE64.encode(signature.as_ref()))
    }

    fn token(&self, issuer: &str) -> String {
        self.token_as(self.id, issuer)
    }
}

/// An OpenID provider: its metadata, its keys, and how often these were asked for.
struct Provider {
    origin: Origin,
    keys: Arc<Mutex<Vec<Arc<Key>>>>,
    fetches: Arc<AtomicUsize>,
    away: Arc<AtomicBool>,
}

impl Provider {
    fn start(keys: &[&Arc<Key>]) -> Self {
        let keys = Arc::new(Mutex::new(keys.iter().map(|key| Arc::clone(key)).collect::<Vec<_>>()));
        let (fetches, away) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let serve = {
            let (keys, fetches, away) = (Arc::clone(&keys), Arc::clone(&fetches), Arc::clone(&away));
            move |request: &crate::harness::echo::Received, stream: &mut std::net::TcpStream| {
                if away.load(Ordering::SeqCst) {
                    return Err(std::io::ErrorKind::ConnectionReset.into());
                }
                let issuer = format!("http://{}", request.header("host").unwrap_or_default());
                let document = match request.line[1].as_str() {
                    "/.well-known/openid-configuration" => {
                        json!({ "issuer": issuer, "jwks_uri": format!("{issuer}/keys") })
                    }
                    "/keys" => {
                        fetches.fetch_add(1, Ordering::SeqCst);
                        let keys = keys.lock().unwrap();
                        json!({ "keys": keys.iter().map(|key| key.public()).collect::<Vec<_>>() })
                    }
                    _ => json!({}),
                };
                let body = document.to_string();
                write!(
                    stream,
                    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                    body.len()
                )
            }
        };
        Self { origin: Origin::new(serve), keys, fetches, away }
    }

    fn issuer(&self) -> String {
        format!("http://{}", self.origin.address)
    }

    fn publish(&self, keys: &[&Arc<Key>]) {
        *self.keys.lock().unwrap() = keys.iter().map(|key| Arc::clone(key)).collect();
    }

    fn fetches(&self) -> usize {
        self.fetches.load(Ordering::SeqCst)
    }
}

fn start(provider: &Provider, more: &str) -> Gateway {
    let issuer = provider.issuer();
    let text = format!("[jwks.login]\nissuer = \"{issuer}\"\n{more}\n")
        + &config::plugin(
            "jwt",
            &format!(
                "capabilities = [\"crypto\", \"clock\", \"consumers\", \"jwks:login\"]\n\
                 config = {{ issuer = \"{issuer}\", keys = {{ jwks = \"login\" }}, audiences = [\"https://api.example\"], claims_to_headers = {{ x-scope = \"scope\" }} }}"
            ),
        )
        + &config::plugin("acl", "config = { allow = [{ scopes = [\"write\"] }] }")
        + &config::service(Origin::echo(), &["jwt"])
        + &config::route("writers", "/write", &["jwt", "acl"])
        + &format!("[consumers.acme]\ntokens = [{{ issuer = \"{issuer}\", subject = \"u-1\" }}]\n");
    Setup::new().plugin("jwt", plugin("jwt")).plugin("acl", plugin("acl")).start(&text)
}

fn ask(gateway: &Gateway, token: &str) -> u16 {
    gateway.get_with("/", &[("authorization", &format!("Bearer {token}"))]).status
}

#[test]
fn a_token_makes_its_consumer_known_and_what_it_permits() {
    let key = Key::new("a");
    let provider = Provider::start(&[&key]);
    let gateway = start(&provider, "");
    let bearer = format!("Bearer {}", key.token(&provider.issuer()));
    let answer = gateway.get_with("/", &[("authorization", &bearer), ("x-scope", "admin")]).expect(200);
    assert_eq!(answer.sent("x-consumer-username").as_deref(), Some("acme"));
    assert_eq!(answer.sent("x-scope").as_deref(), Some("read"), "what the client claims is replaced");
    assert_eq!(answer.sent("authorization"), None);
    let forbidden = gateway.get_with("/write", &[("authorization", &bearer)]);
    assert!(forbidden.header("www-authenticate").unwrap().contains("insufficient_scope"));
    forbidden.problem(403);
    let missing = gateway.get("/");
    assert_eq!(missing.header("www-authenticate"), Some("Bearer realm=\"api\""));
    missing.problem(401);
}

#[test]
fn ten_thousand_unknown_keys_cost_one_fetch_and_no_known_token() {
    let key = Key::new("a");
    let provider = Provider::start(&[&key]);
    let gateway = start(&provider, "cooldown = \"1h\"\nrefresh = \"2h\"");
    let good = key.token(&provider.issuer());
    assert_eq!(ask(&gateway, &good), 200);
    let before = provider.fetches();
    let (wrongful, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for client in 0..8 {
            let (gateway, key, good) = (&gateway, &key, &good);
            let (wrongful, refused, provider) = (&wrongful, &refused, &provider);
            scope.spawn(move || {
                let mut connection = gateway.connect();
                for number in 0..1250 {
                    let stranger = key.token_as(&format!("unknown-{client}-{number}"), &provider.issuer());
                    let bearer = format!("Bearer {stranger}");
                    let status = connection.request("GET", "/", &[("authorization", &bearer)], b"").status;
                    refused.fetch_add(usize::from(status == 401), Ordering::Relaxed);
                    if number % 50 == 0 {
                        let bearer = format!("Bearer {good}");
                        let status =
                            connection.request("GET", "/", &[("authorization", &bearer)], b"").status;
                        wrongful.fetch_add(usize::from(status != 200), Ordering::Relaxed);
                    }
                }
            });
        }
    });
    assert_eq!((wrongful.into_inner(), refused.into_inner()), (0, 10_000));
    let fetched = provider.fetches() - before;
    assert!(fetched <= 1, "{fetched} fetches within one cool-down");
}

#[test]
fn keys_rotate_without_a_wrongful_refusal() {
    let [a, b] = [Key::new("a"), Key::new("b")];
    let provider = Provider::start(&[&a]);
    let gateway = start(&provider, "cooldown = \"100ms\"\nrefresh = \"1s\"");
    let (old, new) = (a.token(&provider.issuer()), b.token(&provider.issuer()));
    assert_eq!(ask(&gateway, &old), 200);
    assert_eq!(ask(&gateway, &new), 401, "nobody knows that key yet");
    let before = provider.fetches();
    provider.publish(&[&a, &b]);
    wait::until("the new set is fetched", || provider.fetches() > before);
    wait::until("the new key is there", || ask(&gateway, &new) == 200);
    for _ in 0..100 {
        assert_eq!([ask(&gateway, &old), ask(&gateway, &new)], [200, 200]);
    }
    provider.publish(&[&b]);
    wait::until("the old key is gone", || ask(&gateway, &old) == 401);
    assert_eq!(ask(&gateway, &new), 200);
}

#[test]
fn known_keys_serve_on_while_the_provider_is_away() {
    let key = Key::new("a");
    let provider = Provider::start(&[&key]);
    let gateway = start(&provider, "cooldown = \"100ms\"\nrefresh = \"1s\"\ntimeout = \"1s\"");
    let good = key.token(&provider.issuer());
    assert_eq!(ask(&gateway, &good), 200);
    provider.away.store(true, Ordering::SeqCst);
    wait::until("that it is away is known", || {
        gateway.metrics().sum("sluice_jwks_failures_total", &[("jwks", "login")]) >= 1.0
    });
    assert_eq!(ask(&gateway, &good), 200);
    let set = &gateway.snapshot()["jwks"][0];
    assert_eq!((set["name"].as_str(), set["keys"].as_u64()), (Some("login"), Some(1)), "{set}");
    assert!(set["failure"].is_string(), "{set}");
}

#[test]
fn without_any_keys_nobody_comes_in() {
    let key = Key::new("a");
    let provider = Provider::start(&[&key]);
    provider.away.store(true, Ordering::SeqCst);
    let gateway = start(&provider, "cooldown = \"100ms\"\ntimeout = \"200ms\"");
    let good = key.token(&provider.issuer());
    assert_eq!(ask(&gateway, &good), 503);
    provider.away.store(false, Ordering::SeqCst);
    wait::until("the keys are fetched", || ask(&gateway, &good) == 200);
}
