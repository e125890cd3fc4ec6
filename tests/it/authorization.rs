//! Authentication by somebody else's word: an introspection endpoint, an authorization service, a proxy that has seen a certificate.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::json;

use crate::harness::echo::Received;
use crate::harness::{Gateway, Origin, Setup, config, plugin, root, wait};

fn answer(stream: &mut std::net::TcpStream, status: u16, headers: &str, body: &str) -> std::io::Result<()> {
    write!(stream, "HTTP/1.1 {status} X\r\n{headers}content-length: {}\r\n\r\n{body}", body.len())
}

/// An introspection endpoint that knows the token `good`, until it is revoked.
struct Endpoint {
    origin: Origin,
    asked: Arc<AtomicUsize>,
    revoked: Arc<AtomicBool>,
    away: Arc<AtomicBool>,
}

impl Endpoint {
    fn start() -> Self {
        let (asked, revoked, away) =
            (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
        let serve = {
            let (asked, revoked, away) = (Arc::clone(&asked), Arc::clone(&revoked), Arc::clone(&away));
            move |request: &Received, stream: &mut std::net::TcpStream| {
                asked.fetch_add(1, Ordering::SeqCst);
                if away.load(Ordering::SeqCst) {
                    return answer(stream, 503, "", "");
                }
                let authorized = request.header("authorization") == Some("Basic Z3c6czNjcjN0"); // gw:s3cr3t
                let form = String::from_utf8_lossy(&request.body).into_owned();
                let active = authorized && form.contains("token=good") && !revoked.load(Ordering::SeqCst);
                let document = if active {
                    json!({ "active": true, "sub": "u-1", "scope": "read write", "client_id": "app" })
                } else {
                    json!({ "active": false })
                };
                answer(stream, 200, "content-type: application/json\r\n", &document.to_string())
            }
        };
        Self { origin: Origin::new(serve), asked, revoked, away }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn introspecting(endpoint: &Endpoint, more: &str) -> Gateway {
    let text = config::upstream("login", endpoint.origin.address)
        + &config::plugin(
            "introspection",
            &format!(
                "capabilities = [\"fetch:login\", \"crypto\", \"clock\", \"store\", \"consumers\", \"log\"]\n\
                 config = {{ upstream = \"login\", client_id = \"gw\", client_secret = \"s3cr3t\", required_scopes = [\"read\"]{more} }}"
            ),
        )
        + &config::service(Origin::echo(), &["introspection"])
        + "[consumers.acme]\ntokens = [{ subject = \"u-1\" }]\n";
    Setup::new().plugin("introspection", plugin("introspection")).start(&text)
}

fn with(gateway: &Gateway, token: &str) -> crate::harness::Response {
    gateway.get_with("/", &[("authorization", &format!("Bearer {token}"))])
}

#[test]
fn an_opaque_token_is_asked_about_once() {
    let endpoint = Endpoint::start();
    let gateway = introspecting(&endpoint, "");
    // Forty clients at the same time with a token that nobody has asked about.
    std::thread::scope(|scope| {
        for _ in 0..40 {
            scope.spawn(|| {
                let answer = with(&gateway, "good").expect(200);
                assert_eq!(answer.sent("x-consumer-username").as_deref(), Some("acme"));
            });
        }
    });
    assert_eq!(endpoint.asked(), 1, "the others waited for that answer");
    with(&gateway, "bad").problem(401);
    with(&gateway, "bad").problem(401);
    assert_eq!(endpoint.asked(), 2, "that it is bad is remembered too");
    gateway.get("/").problem(401);
}

#[test]
fn what_is_revoked_or_cannot_be_asked_about_is_not_let_in() {
    let endpoint = Endpoint::start();
    let gateway = introspecting(&endpoint, ", cache = \"0s\", negative_cache = \"0s\"");
    with(&gateway, "good").expect(200);
    endpoint.revoked.store(true, Ordering::SeqCst);
    with(&gateway, "good").problem(401);
    endpoint.revoked.store(false, Ordering::SeqCst);
    endpoint.away.store(true, Ordering::SeqCst);
    let refused = with(&gateway, "good");
    assert!(refused.header("retry-after").is_some());
    refused.problem(503);
    endpoint.away.store(false, Ordering::SeqCst);
    with(&gateway, "good").expect(200);
}

#[test]
fn what_one_step_keeps_for_long_is_not_news_to_another() {
    let endpoint = Endpoint::start();
    let text = config::upstream("login", endpoint.origin.address)
        + &config::plugin(
            "introspection",
            "capabilities = [\"fetch:login\", \"crypto\", \"clock\", \"store\", \"consumers\", \"log\"]\n\
             config = { upstream = \"login\", client_id = \"gw\", client_secret = \"s3cr3t\", cache = \"1h\" }",
        )
        + &config::service(Origin::echo(), &["introspection"])
        + "[routes.strict]\nmatch = { path = \"/strict\" }\nto = \"service\"\n\
           steps = [{ use = \"introspection\", config = { cache = \"5s\" } }]\n";
    let gateway = Setup::new().plugin("introspection", plugin("introspection")).start(&text);
    with(&gateway, "good").expect(200);
    endpoint.revoked.store(true, Ordering::SeqCst);
    with(&gateway, "good").expect(200);
    gateway.get_with("/strict", &[("authorization", "Bearer good")]).problem(401);
}

#[test]
fn a_service_decides_and_its_absence_refuses() {
    let away = Arc::<AtomicBool>::default();
    let service = {
        let away = Arc::clone(&away);
        Origin::new(move |request, stream| {
            if away.load(Ordering::SeqCst) {
                return Err(std::io::ErrorKind::ConnectionReset.into());
            }
            match request.header("authorization") {
                Some("Bearer ok") => answer(stream, 200, "x-user: acme\r\n", ""),
                _ => answer(stream, 302, "location: https://login.example/\r\nx-inner: secret\r\n", ""),
            }
        })
    };
    let text = config::upstream("authelia", service.address)
        + &config::plugin(
            "ext-authz",
            "capabilities = [\"fetch:authelia\", \"crypto\", \"log\"]\n\
             config = { upstream = \"authelia\", path = \"/verify\", allow_headers = [\"x-user\"] }",
        )
        + &config::service(Origin::echo(), &["ext-authz"]);
    let gateway = Setup::new().plugin("ext-authz", plugin("ext-authz")).start(&text);
    let answer = gateway.get_with("/", &[("authorization", "Bearer ok"), ("x-user", "admin")]).expect(200);
    assert_eq!(answer.sent("x-user").as_deref(), Some("acme"), "the service's word, not the client's");
    let elsewhere = gateway.get("/").expect(302);
    assert_eq!(elsewhere.header("location"), Some("https://login.example/"));
    assert_eq!(elsewhere.header("x-inner"), None);
    let asked = service.requests();
    assert_eq!(asked[0].line[1], "/verify");
    away.store(true, Ordering::SeqCst);
    gateway.get_with("/", &[("authorization", "Bearer ok")]).problem(503);
}

#[test]
fn a_certificate_that_a_trusted_proxy_vouches_for_is_its_consumer_s() {
    let pem = std::fs::read_to_string(root().join("plugins/mtls/tests/data/billing.pem")).unwrap();
    let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let field = format!(":{body}:");
    let start = |trusted: &str| {
        let text = config::plugin("mtls", "capabilities = [\"consumers\", \"crypto\", \"clock\"]")
            + &config::service(Origin::echo(), &["mtls"])
            + &format!("[listeners.public]\nbind = \"@public@\"\n{trusted}\n")
            + "[consumers.billing]\ncertificates = [\"spiffe://example.org/ns/prod/sa/billing\"]\n";
        Setup::new().plugin("mtls", plugin("mtls")).start(&text)
    };
    let trusting = start("trusted_proxies = [\"127.0.0.0/8\"]");
    let answer = trusting.get_with("/", &[("client-cert", &field)]).expect(200);
    assert_eq!(answer.sent("x-consumer-username").as_deref(), Some("billing"));
    assert_eq!(answer.sent("client-cert"), None);
    trusting.get("/").problem(401);
    trusting.get_with("/", &[("client-cert", ":AAAA:")]).problem(403);
    start("").get_with("/", &[("client-cert", &field)]).problem(401);
}

#[test]
fn a_secret_changes_without_a_restart() {
    let endpoint = Endpoint::start();
    let gateway = introspecting(&endpoint, ", cache = \"0s\", negative_cache = \"0s\"");
    with(&gateway, "good").expect(200);
    let text = std::fs::read_to_string(gateway.path("gateway.toml")).unwrap();
    gateway.write("gateway.toml", text.replace("s3cr3t", "wrong"));
    wait::until("the wrong secret is used", || with(&gateway, "good").status != 200);
    gateway.write("gateway.toml", text);
    wait::until("the right one is", || with(&gateway, "good").status == 200);
}

/// Whoever has no key must not make the step fault: its circuit would then refuse those who have one.
#[test]
fn heads_that_are_dear_to_check_are_refused_and_fault_nothing() {
    let text = config::plugin("http-signature", "capabilities = [\"crypto\", \"clock\", \"consumers\"]")
        + &config::service(Origin::echo(), &["http-signature"])
        + "[consumers.acme]\nsignatures = [{ id = \"acme-1\", secret = \"a secret of the consumer's and ours\" }]\n";
    let gateway = Setup::new().plugin("http-signature", plugin("http-signature")).start(&text);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let names: Vec<String> = (0..5000).map(|number| format!("k{number:x}")).collect();
    let covering = |components: Vec<String>| {
        let components = components.join(" ");
        format!(
            "sig=(\"@method\" \"@authority\" \"@path\" \"@query\" {components});created={now};keyid=\"nobody\""
        )
    };
    let members = |count: usize| {
        covering(names.iter().take(count).map(|key| format!("\"priority\";key=\"{key}\"")).collect())
    };
    let parameters = |count: usize| {
        covering(names.iter().take(count).map(|key| format!("\"@query-param\";name=\"{key}\"")).collect())
    };
    let (priority, query) = (names[..3500].join(","), format!("/?{}", names[..1200].join("&")));
    for _ in 0..20 {
        for (target, priority, input) in [
            ("/", &*priority, members(60)),
            ("/", &priority[..15_000], members(16)),
            (&*query, "u=1", parameters(50)),
            (&*query, "u=1", parameters(16)),
        ] {
            let headers = [("priority", priority), ("signature-input", &*input), ("signature", "sig=:AA==:")];
            let status = gateway.get_with(target, &headers).status;
            assert!(status == 400 || status == 401, "{status}");
        }
    }
    assert_eq!(gateway.metrics().sum("sluice_step_calls_total", &[("verdict", "fault")]), 0.0);
}
