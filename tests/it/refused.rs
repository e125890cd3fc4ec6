//! Modules that are refused at load: `sluice check` says why, and a running gateway goes on with what it has.

use crate::harness::{Gateway, Origin, Probe, Setup, config, guest, guests, wait};

/// Guests that no gateway takes, and words that say why.
const REFUSED: &[(&str, &[&str])] = &[
    ("loop-in-start", &["deadline"]),
    ("loop-in-initialize", &["deadline"]),
    ("loop-in-configure", &["cannot start", "deadline"]),
    ("loop-in-describe", &["deadline"]),
    ("failing-self-test", &["cannot start"]),
    ("bad-descriptor", &["descriptor", "JSON"]),
    ("descriptor-outside", &["descriptor"]),
    ("later-abi", &["ABI version 99"]),
    ("missing-export", &["sluice_v1_configure"]),
    ("missing-phase", &["sluice_v1_response"]),
    ("missing-memory", &["memory"]),
    ("unknown-import", &["sluice:v1/http", "launch_rocket"]),
    ("wrong-import", &["sluice:v1/http", "respond"]),
    ("wrong-signature", &["sluice_v1_request", "(i32) -> i32", "() -> i32"]),
];

#[test]
fn check_says_what_is_wrong_with_a_module() {
    for (name, words) in REFUSED {
        let text = config::plugin(name, "") + &config::service("127.0.0.1:1", &[name]);
        let (code, told) = Setup::new().plugin(name, guest(name)).check(&text);
        assert_eq!(code, 1, "{name}: {told}");
        for word in [name, "gateway.toml:"].iter().chain(*words) {
            assert!(told.contains(word), "{name}: `{word}` is missing in\n{told}");
        }
    }
}

#[test]
fn a_running_gateway_keeps_what_it_has() {
    let text = config::plugin("policy", "") + &config::service(Origin::echo(), &["policy"]);
    let gateway = Setup::new().plugin("policy", guest("noop")).start(&(text + "[reload]\nwatch = false\n"));
    let generation = gateway.generation();
    let probe = Probe::start(gateway.public, "/");
    for (name, _) in REFUSED {
        gateway.install_plugin("policy", guest(name));
        let answer = gateway.reload();
        assert_eq!(answer.status, 422, "{name}: {}", answer.text());
        assert_eq!(answer.json()["result"], "refused");
    }
    assert_eq!(gateway.generation(), generation);
    let refused = &gateway.snapshot()["last_refused_reload"];
    assert!(refused["problems"].to_string().contains("policy"), "{refused}");
    gateway.install_plugin("policy", guest("noop"));
    gateway.reload().expect(200);
    probe.finish();
}

#[test]
fn a_plugin_may_refuse_its_configuration() {
    let start = |config: &str| {
        let text = config::plugin("picky", &format!("config = {config}"))
            + &config::service("127.0.0.1:1", &["picky"]);
        Setup::new().plugin("picky", guest("picky")).check(&text)
    };
    assert_eq!(start("{ number = 2 }").0, 0);
    for (config, words) in [
        ("{ number = 3 }", "3 is an odd number"),
        ("{ number = 2, healthy = false }", "it does not feel well"),
        ("{ number = \"two\" }", "number"),
        ("{ nummer = 2 }", "did you mean `number`"),
        ("{}", "number"),
    ] {
        let (code, told) = start(config);
        assert_eq!(code, 1, "{config}: {told}");
        assert!(told.contains(words) && told.contains("gateway.toml:"), "{config}: {told}");
    }
}

#[test]
fn a_file_needs_its_seal_or_a_pin() {
    let whole = guest("noop");
    let bare = &whole[..whole.len() - 46];
    let text = |more: &str| config::plugin("noop", more) + &config::service("127.0.0.1:1", &["noop"]);
    let (code, told) = Setup::new().plugin("noop", bare).check(&text(""));
    assert_eq!(code, 1, "{told}");
    assert!(told.contains("seal"), "{told}");

    let digest: String = sha256(bare).iter().map(|byte| format!("{byte:02x}")).collect();
    let (code, told) = Setup::new().plugin("noop", bare).check(&text(&format!("sha256 = \"{digest}\"")));
    assert_eq!(code, 0, "{told}");
    let (code, told) = Setup::new().plugin("noop", &whole).check(&text(&format!("sha256 = \"{digest}\"")));
    assert_eq!(code, 1, "{told}");
    assert!(told.contains(&digest), "{told}");
}

fn sha256(bytes: &[u8]) -> Vec<u8> {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).to_vec()
}

#[test]
fn a_module_that_cannot_run_stops_the_start() {
    let text = config::plugin("trap", "") + &config::service("127.0.0.1:1", &["trap"]);
    let refused = Setup::new().plugin("trap", guest("loop-in-start")).try_start(&text);
    let ended = refused.err().expect("no gateway without its policies");
    assert_eq!(ended.status.code(), Some(1));
    assert!(ended.output.contains("trap"), "{}", ended.output);
}

#[test]
fn what_is_refused_is_counted_and_logged() {
    let gateway: Gateway = Setup::new().plugin("tag", guests::tag(1)).start(
        &(config::plugin("tag", "config = { label = \"a\" }") + &config::service(Origin::echo(), &["tag"])),
    );
    gateway.install_plugin("tag", guest("bad-descriptor"));
    gateway.wait_for_log(&["reload refused"]);
    wait::until("it is counted", || {
        gateway.metrics().sum("sluice_reloads_total", &[("result", "refused")]) >= 1.0
    });
    assert_eq!(gateway.get("/").expect(200).header("x-tag"), Some("build-000001/a"));
}
