//! Tokens of somebody else's identity provider: verified while its keys rotate and unknown ones are tried, and asked about at its
//! introspection endpoint (RFC 7662).

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use data_encoding::BASE64URL_NOPAD as BASE64;
use serde_json::{Value, json};

use crate::harness::identity_provider::{IdentityProvider, Token};
use crate::harness::{Connection, Gateway, Origin, Response, Setup, config, plugin, wait};

const COOLDOWN: Duration = Duration::from_millis(300);

fn verifying(provider: &IdentityProvider, more: &str) -> Gateway {
    let issuer = provider.issuer();
    let text = format!("[jwks.login]\nissuer = \"{issuer}\"\n{more}\n")
        + &config::plugin(
            "jwt",
            &format!(
                "capabilities = [\"crypto\", \"clock\", \"consumers\", \"jwks:login\"]\n\
                 config = {{ issuer = \"{issuer}\", keys = {{ jwks = \"login\" }}, audiences = [\"https://api.example\"], \
                 token_type = \"at+jwt\", required_scopes = [\"read\"], consumer = {{ required = true }} }}"
            ),
        )
        + &config::service(Origin::echo(), &["jwt"])
        + &format!("[consumers.acme]\ntokens = [{{ issuer = \"{issuer}\", subject = \"app\" }}]\n");
    Setup::new().plugin("jwt", plugin("jwt")).start(&text)
}

fn introspecting(provider: &IdentityProvider, secret: &str, more: &str) -> Gateway {
    let text = config::upstream("login", provider.address)
        + &config::plugin(
            "introspection",
            &format!(
                "capabilities = [\"fetch:login\", \"crypto\", \"clock\", \"store\", \"consumers\", \"log\"]\n\
                 config = {{ upstream = \"login\", path = \"/token/introspection\", client_id = \"gateway\", \
                 client_secret = \"{secret}\", issuers = \"{}\", audiences = \"https://opaque.example\", \
                 required_scopes = [\"read\"], consumer = {{ claim = \"client_id\", required = true }}{more} }}",
                provider.issuer()
            ),
        )
        + &config::service(Origin::echo(), &["introspection"])
        + "[consumers.acme]\ntokens = [{ subject = \"app\" }]\n";
    Setup::new().plugin("introspection", plugin("introspection")).start(&text)
}

fn with(gateway: &Gateway, token: &str) -> Response {
    gateway.get_with("/", &[("authorization", &format!("Bearer {token}"))])
}

/// The token, which says that another key has signed it.
fn signed_by(kid: &str, token: &str) -> String {
    let (header, rest) = token.split_once('.').unwrap();
    let mut header: Value = serde_json::from_slice(&BASE64.decode(header.as_bytes()).unwrap()).unwrap();
    header["kid"] = json!(kid);
    format!("{}.{rest}", BASE64.encode(header.to_string().as_bytes()))
}

/// The provider signs with a new key from one moment to the next, while strangers use up each cool-down. A token that is good is
/// admitted or told to come again, and never called invalid.
#[test]
fn keys_rotate_while_ten_thousand_unknown_ones_are_tried() {
    const UNKNOWN: u64 = 10_000;
    let provider = IdentityProvider::start(&["key-0"]);
    let gateway = verifying(&provider, "cooldown = \"300ms\"\nrefresh = \"1h\"");
    let current = Mutex::new(provider.token(Token::Jwt));
    with(&gateway, &current.lock().unwrap()).expect(200);
    let (fetched, start) = (provider.asked().keys, Instant::now());
    let [tried, admitted, refused, wrongful] = [const { AtomicU64::new(0) }; 4];
    let is_over = AtomicBool::new(false);
    let ask = |connection: &mut Connection, token: &str| {
        let status =
            connection.request("GET", "/", &[("authorization", &format!("Bearer {token}"))], b"").status;
        admitted.fetch_add(u64::from(status == 200), Ordering::Relaxed);
        wrongful.fetch_add(u64::from(status != 200 && status != 503), Ordering::Relaxed);
        status == 200
    };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut connection = gateway.connect();
                loop {
                    let number = tried.fetch_add(1, Ordering::Relaxed);
                    // On they go until the last rotation is over.
                    if number >= UNKNOWN && is_over.load(Ordering::Relaxed) {
                        break;
                    }
                    let good = current.lock().unwrap().clone();
                    let bearer = format!("Bearer {}", signed_by(&format!("unknown-{number}"), &good));
                    let status = connection.request("GET", "/", &[("authorization", &bearer)], b"").status;
                    refused.fetch_add(u64::from(status == 401 || status == 503), Ordering::Relaxed);
                    if number % 10 == 0 {
                        ask(&mut connection, &good);
                    }
                }
            });
        }
        let mut connection = gateway.connect();
        for number in 1..=5 {
            let (old, new) = (format!("key-{}", number - 1), format!("key-{number}"));
            provider.publish(&[&new, &old]);
            let token = provider.token(Token::Jwt);
            current.lock().unwrap().clone_from(&token);
            wait::until("the new key is known", || ask(&mut connection, &token));
        }
        is_over.store(true, Ordering::Relaxed);
    });
    let (admitted, wrongful) = (admitted.into_inner(), wrongful.into_inner());
    assert_eq!(wrongful, 0, "beside {admitted} that were admitted");
    assert!(admitted > 5, "{admitted}");
    assert_eq!(refused.into_inner(), tried.into_inner() - 4, "each unknown key is refused");
    let cooldowns = start.elapsed().as_millis() / COOLDOWN.as_millis() + 1;
    let fetched = provider.asked().keys - fetched;
    assert!(fetched >= 5 && u128::from(fetched) <= cooldowns, "{fetched} fetches in {cooldowns} cool-downs");
}

#[test]
fn a_token_of_a_key_that_nobody_announced_is_never_called_invalid() {
    let provider = IdentityProvider::start(&["a"]);
    let gateway = verifying(&provider, "cooldown = \"100ms\"\nrefresh = \"1h\"");
    // The first fetch answers everyone who comes before it ends, also with what was published meanwhile.
    with(&gateway, &provider.token(Token::Jwt)).expect(200);
    for key in ["b", "c", "d"] {
        provider.publish(&[key]);
        let token = provider.token(Token::Jwt);
        let answer = wait::until_some("its cool-down is over", || match with(&gateway, &token) {
            answer if answer.status == 503 => None,
            answer => Some(answer.expect(200)),
        });
        assert_eq!(answer.sent("x-consumer-username").as_deref(), Some("acme"));
    }
}

#[test]
fn known_keys_serve_while_the_provider_hangs() {
    let provider = IdentityProvider::start(&["a"]);
    let gateway = verifying(&provider, "cooldown = \"100ms\"\nrefresh = \"1s\"\ntimeout = \"200ms\"");
    let token = provider.token(Token::Jwt);
    with(&gateway, &token).expect(200);
    let count = |metric: &str| gateway.metrics().sum(metric, &[("jwks", "login")]);
    let succeeded = || count("sluice_jwks_fetches_total") - count("sluice_jwks_failures_total");
    provider.freeze();
    wait::until("a fetch fails", || count("sluice_jwks_failures_total") >= 1.0);
    with(&gateway, &token).expect(200);
    with(&gateway, &signed_by("unknown", &token)).problem(503);
    let before = succeeded();
    provider.thaw();
    wait::until("fetches succeed again", || succeeded() > before);
    with(&gateway, &token).expect(200);
}

#[test]
fn an_opaque_token_holds_until_its_client_revokes_it() {
    let provider = IdentityProvider::start(&["a"]);
    let gateway = introspecting(&provider, "secret of gateway", ", cache = \"0s\", negative_cache = \"0s\"");
    let [kept, revoked] = [provider.token(Token::Opaque), provider.token(Token::Opaque)];
    let answer = with(&gateway, &revoked).expect(200);
    assert_eq!(answer.sent("x-consumer-username").as_deref(), Some("acme"));
    provider.revoke(&revoked);
    let refused = with(&gateway, &revoked);
    assert!(refused.header("www-authenticate").unwrap().contains("invalid_token"));
    refused.problem(401);
    with(&gateway, &kept).expect(200);
    with(&gateway, "made-up").problem(401);
    provider.freeze();
    with(&gateway, &kept).problem(503);
    provider.thaw();
    wait::until("it answers again", || with(&gateway, &kept).status == 200);
}

#[test]
fn an_opaque_token_is_asked_about_once() {
    let provider = IdentityProvider::start(&["a"]);
    let gateway = introspecting(&provider, "secret of gateway", "");
    let token = provider.token(Token::Opaque);
    std::thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| {
                for _ in 0..10 {
                    with(&gateway, &token).expect(200);
                }
            });
        }
    });
    assert_eq!(provider.asked().introspections, 1);
}

#[test]
fn a_gateway_that_the_provider_does_not_know_admits_nobody() {
    let provider = IdentityProvider::start(&["a"]);
    let gateway = introspecting(&provider, "guessed", "");
    with(&gateway, &provider.token(Token::Opaque)).problem(503);
    gateway.wait_for_log(&["introspection", "401"]);
}
