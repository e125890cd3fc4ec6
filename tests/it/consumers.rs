//! Consumers end to end: made by `sluice keys new`, kept in `consumers.d`, told to the upstream.

use crate::harness::{Gateway, Origin, Setup, config, plugin, wait};

const PEPPER: (&str, &str) = ("TEST_PEPPER", "a grain of pepper for this test");

fn text() -> String {
    config::plugin("api-key", "capabilities = [\"consumers\"]")
        + &config::plugin("basic-auth", "capabilities = [\"consumers\"]")
        + &config::upstream("service", Origin::echo())
        + "[credentials]\npepper = \"${env:TEST_PEPPER}\"\n\
           [routes.all]\nsteps = [{ any_of = [\"api-key\", \"basic-auth\"] }]\nto = \"service\"\n"
}

fn setup() -> Setup {
    Setup::new()
        .plugin("api-key", plugin("api-key"))
        .plugin("basic-auth", plugin("basic-auth"))
        .variable(PEPPER.0, PEPPER.1)
        .file("pepper.toml", "version = 1\n[credentials]\npepper = \"${env:TEST_PEPPER}\"\n[listeners.a]\nbind = \"127.0.0.1:0\"\n")
}

/// The secret that `keys new` shows, and the lines that it prints for the configuration.
fn made(arguments: &[&str]) -> (String, String) {
    let all = [&["keys", "new"], arguments, &["--config", "pepper.toml"]].concat();
    let (code, told) = setup().run(&all);
    assert_eq!(code, 0, "{told}");
    let secret = told.lines().next().unwrap().to_owned();
    let lines: Vec<&str> = told.lines().skip_while(|line| !line.starts_with("[consumers.")).collect();
    let lines = lines.join("\n");
    assert!(lines.contains("hmac-sha256:") && !lines.contains(&secret), "{lines}");
    (secret, lines)
}

fn admits(gateway: &Gateway, key: &str) -> bool {
    gateway.get_with("/", &[("x-api-key", key)]).status == 200
}

#[test]
fn a_directory_of_consumers_is_watched() {
    let (acme, acme_lines) = made(&["acme", "--id", "laptop"]);
    let (bolt, bolt_lines) = made(&["bolt"]);
    let gateway = setup().file("consumers.d/acme.toml", &acme_lines).start(&text());
    assert!(admits(&gateway, &acme) && !admits(&gateway, &bolt));
    let answer = gateway.get_with("/", &[("x-api-key", &acme)]).expect(200);
    assert_eq!(answer.sent("x-credential-identifier").as_deref(), Some("laptop"));

    gateway.write("consumers.d/bolt.toml", &bolt_lines);
    wait::until("the new file is read", || admits(&gateway, &bolt));
    assert!(admits(&gateway, &acme));
    std::fs::remove_file(gateway.path("consumers.d/acme.toml")).unwrap();
    wait::until("the file is missed", || !admits(&gateway, &acme));
    assert!(admits(&gateway, &bolt));

    // One that holds more than consumers is refused whole, and what was good stays.
    gateway.write("consumers.d/sneaky.toml", "[consumers.x]\n[listeners.side]\nbind = \"127.0.0.1:0\"\n");
    gateway.wait_for_log(&["holds consumers alone"]);
    assert!(admits(&gateway, &bolt));
}

#[test]
fn the_directory_may_be_made_later_and_come_back() {
    let (acme, lines) = made(&["acme"]);
    let gateway = setup().start(&text());
    assert!(!admits(&gateway, &acme));
    gateway.write("consumers.d/acme.toml", &lines);
    wait::until("the new directory is read", || admits(&gateway, &acme));
    std::fs::remove_dir_all(gateway.path("consumers.d")).unwrap();
    wait::until("it is missed", || !admits(&gateway, &acme));
    gateway.write("consumers.d/acme.toml", &lines);
    wait::until("it is read again", || admits(&gateway, &acme));
}

/// Who somebody is, is for the gateway to say: whatever steps the request passes, and however the names are written.
#[test]
fn nobody_tells_the_upstream_who_he_is() {
    let text = config::plugin("api-key", "capabilities = [\"consumers\"]")
        + &config::plugin("ip-filter", "capabilities = [\"log\"]\nconfig = { allow = [\"127.0.0.0/8\"] }")
        + &config::upstream("service", Origin::echo())
        + &config::route("open", "/open", &[])
        + "[routes.inside]\nmatch = { path = \"/inside\" }\nsteps = [{ any_of = [\"ip-filter\", \"api-key\"] }]\nto = \"service\"\n";
    let gateway = Setup::new()
        .plugin("api-key", plugin("api-key"))
        .plugin("ip-filter", plugin("ip-filter"))
        .start(&text);
    let forged = [
        ("x-consumer-username", "admin"),
        ("X_Consumer_Username", "admin"),
        ("x-consumer-groups", "staff"),
        ("x-credential-identifier", "k"),
        ("x-anonymous-consumer", "true"),
        ("x_forwarded_for", "10.0.0.1"),
        ("api_key", "a name of the client's own"),
    ];
    for path in ["/open", "/inside"] {
        let answer = gateway.get_with(path, &forged).expect(200);
        for (name, _) in &forged[..6] {
            assert_eq!(answer.sent(name), None, "{path}: {name}");
        }
        assert!(answer.sent("api_key").is_some(), "{path}");
    }
}

#[test]
fn a_password_is_kept_under_the_pepper_alone() {
    let (password, lines) = made(&["acme", "--user", "acme-user"]);
    let gateway = setup().start(&(text() + &lines));
    let basic = |user: &str, password: &str| {
        let shown = data_encoding::BASE64.encode(format!("{user}:{password}").as_bytes());
        gateway.get_with("/", &[("authorization", &format!("Basic {shown}"))])
    };
    let answer = basic("acme-user", &password).expect(200);
    assert_eq!(answer.sent("x-credential-identifier").as_deref(), Some("acme-user"));
    assert_eq!(answer.sent("authorization"), None);
    basic("acme-user", "wrong").problem(401);
    basic("acme", &password).problem(401);
    assert!(!admits(&gateway, &format!("acme-user:{password}")), "a password is no key");
}

#[test]
fn an_expired_key_is_refused_from_that_moment() {
    let (past, past_lines) = made(&["acme", "--expires", "2020-01-01T00:00:00Z"]);
    let (coming, coming_lines) = made(&["bolt", "--expires", "2999-01-01T00:00:00Z"]);
    let gateway = setup().start(&(text() + &past_lines + "\n" + &coming_lines));
    assert!(!admits(&gateway, &past) && admits(&gateway, &coming));
    let (code, told) =
        setup().run(&["keys", "new", "acme", "--expires", "tomorrow", "--config", "pepper.toml"]);
    assert_eq!(code, 1, "{told}");
}
