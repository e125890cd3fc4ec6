//! Steps that stand for each other: `any_of` and `all_of`.

use crate::harness::{Gateway, Origin, Setup, config, guest, plugin};

/// `printf acme-key | openssl sha256 -hmac 'a pepper for tests alone'`, and of `bolt-key`.
const ACME: &str = "ed921c6dfb6821332ee0ce13619e10d3413b6440522be7d026cb58317e0d1f1c";
const BOLT: &str = "b2dbbf5ebabb8905c6f53609090f100df9573109e493c6dad5177ab881162f29";

/// Two steps of `api-key`, one by header and one by another; `slow` faults when it is told to.
fn setup() -> (Setup, String) {
    let text = config::plugin("api-key", "capabilities = [\"consumers\"]")
        + "[plugins.partner]\nmodule = \"plugins/api-key.wasm\"\ncapabilities = [\"consumers\"]\n\
           config = { header = \"x-partner-key\", realm = \"partners\" }\n"
        + &config::plugin("trap", "")
        + &config::plugin("acl", "config = { allow = [{ groups = [\"staff\"] }] }")
        + &config::plugin("ip-filter", "capabilities = [\"log\"]\nconfig = { allow = [\"127.0.0.0/8\"] }")
        + &config::plugin(
            "rate-limit",
            "capabilities = [\"store\", \"random\"]\nconfig = { limits = [{ q = 1000, w = \"1s\" }] }",
        )
        + &config::plugin("headers", "config = { request = { remove = [\"x-nothing\"] } }")
        + &config::upstream("service", Origin::echo())
        + &format!(
            "[credentials]\npepper = \"a pepper for tests alone\"\n[consumers.acme]\nkeys = [{{ id = \"laptop\", hash = \"hmac-sha256:{ACME}\" }}]\n\
             [consumers.bolt]\nkeys = [{{ hash = \"hmac-sha256:{BOLT}\" }}]\n"
        );
    let setup = Setup::new()
        .plugin("api-key", plugin("api-key"))
        .plugin("headers", plugin("headers"))
        .plugin("acl", plugin("acl"))
        .plugin("ip-filter", plugin("ip-filter"))
        .plugin("rate-limit", plugin("rate-limit"))
        .plugin("trap", guest("trap"));
    (setup, text)
}

fn start(steps: &str) -> Gateway {
    let (setup, text) = setup();
    setup.start(&(text + &format!("[routes.all]\nsteps = [{steps}]\nto = \"service\"\n")))
}

#[test]
fn one_of_several_ways_in_is_enough() {
    let gateway = start("{ any_of = [\"api-key\", \"partner\"] }");
    for header in ["x-api-key", "x-partner-key"] {
        let answer = gateway.get_with("/", &[(header, "acme-key")]).expect(200);
        assert_eq!(answer.sent("x-consumer-username").as_deref(), Some("acme"));
        assert_eq!(answer.sent("x-consumer-id").as_deref(), Some("acme"));
        assert_eq!(answer.sent("x-credential-identifier").as_deref(), Some("laptop"));
        assert_eq!(answer.sent(header), None, "the credential stays here");
    }
    // What the first alternative would refuse does not keep the second one from admitting.
    gateway.get_with("/", &[("x-api-key", "wrong"), ("x-partner-key", "acme-key")]).expect(200);
}

#[test]
fn who_has_no_way_in_is_told_all_of_them() {
    let gateway = start("{ any_of = [\"api-key\", \"partner\"] }");
    let refused = gateway.get("/");
    let challenges = refused.header_all("www-authenticate");
    assert_eq!(challenges, ["Key realm=\"api\"", "Key realm=\"partners\""]);
    refused.problem(401);
    let wrong = gateway.get_with("/", &[("x-partner-key", "wrong")]);
    let problem = wrong.problem(401);
    assert_eq!(problem["step"], "partner", "{problem}");
    assert!(problem["type"].as_str().unwrap().ends_with("api-key-unknown"), "{problem}");
}

#[test]
fn all_of_a_list_have_to_agree() {
    let gateway = start("{ any_of = [{ all_of = [\"api-key\", \"partner\"] }] }");
    let both = |one: &str, two: &str| gateway.get_with("/", &[("x-api-key", one), ("x-partner-key", two)]);
    both("acme-key", "acme-key").expect(200);
    both("acme-key", "wrong").problem(401);
    gateway.get_with("/", &[("x-api-key", "acme-key")]).problem(401);
    let disagree = both("acme-key", "bolt-key").problem(403);
    assert!(disagree["type"].as_str().unwrap().ends_with("credentials-disagree"), "{disagree}");
}

#[test]
fn what_an_alternative_did_before_it_refused_is_undone() {
    let tainted = "{ use = \"headers\", config = { request = { set = { x-tainted = \"yes\" }, remove = [\"x-kept\"] } } }";
    let gateway = start(&format!("{{ any_of = [{{ all_of = [{tainted}, \"api-key\"] }}, \"partner\"] }}"));
    let answer = gateway.get_with("/", &[("x-partner-key", "bolt-key"), ("x-kept", "1")]).expect(200);
    assert_eq!((answer.sent("x-tainted"), answer.sent("x-kept").as_deref()), (None, Some("1")));
    assert_eq!(answer.sent("x-consumer-username").as_deref(), Some("bolt"));
    let answer = gateway.get_with("/", &[("x-api-key", "acme-key"), ("x-kept", "1")]).expect(200);
    assert_eq!((answer.sent("x-tainted").as_deref(), answer.sent("x-kept")), (Some("yes"), None));
}

#[test]
fn who_may_not_by_address_is_asked_for_a_credential() {
    let outside = "{ use = \"ip-filter\", config = { allow = [\"203.0.113.0/24\"] } }";
    let gateway = start(&format!("{{ any_of = [{outside}, \"api-key\"] }}"));
    let refused = gateway.get("/");
    assert_eq!(refused.header("www-authenticate"), Some("Key realm=\"api\""));
    refused.problem(401);
    gateway.get_with("/", &[("x-api-key", "acme-key")]).expect(200);
}

/// A place among the requests at once is given back by whoever does not come in.
#[test]
fn a_refused_alternative_gives_back_what_it_took() {
    let places = "{ use = \"rate-limit\", config = { key = \"route\", concurrency = { q = 2 } } }";
    let gateway = start(&format!("{{ any_of = [{{ all_of = [{places}, \"api-key\"] }}, \"partner\"] }}"));
    for _ in 0..10 {
        gateway.get_with("/", &[("x-api-key", "wrong")]).problem(401);
        gateway.get_with("/", &[("x-partner-key", "bolt-key")]).expect(200);
    }
    gateway.get_with("/", &[("x-api-key", "acme-key")]).expect(200);
}

/// What an alternative has found out about the client goes with it when it refuses.
#[test]
fn who_was_refused_is_nobody_to_the_next_alternative() {
    let strict =
        "{ all_of = [\"api-key\", { use = \"acl\", config = { allow = [{ groups = [\"staff\"] }] } }] }";
    let told = "{ use = \"headers\", config = { request = { set = { x-who = \"[{consumer}]\" } } } }";
    let gateway = start(&format!("{{ any_of = [{strict}, \"ip-filter\"] }}, {told}"));
    let answer = gateway.get_with("/", &[("x-api-key", "acme-key")]).expect(200);
    assert_eq!(answer.sent("x-who").as_deref(), Some("[]"));
    assert_eq!(answer.sent("x-consumer-username"), None);
    // Where nobody admits him, what is known of him counts: he may not, and no other key would help.
    let gateway = start(&format!("{{ any_of = [{strict}, \"partner\"] }}"));
    gateway.get_with("/", &[("x-api-key", "acme-key")]).problem(403);
    gateway.get("/").problem(401);
}

#[test]
fn a_step_that_breaks_lets_nobody_in() {
    let gateway = start("{ any_of = [\"trap\", \"api-key\"] }");
    // The guest traps when it is told to, and lets everybody in otherwise.
    gateway.get_with("/", &[("x-misbehave", "1"), ("x-api-key", "acme-key")]).problem(500);
    gateway.get_with("/", &[("x-misbehave", "1")]).problem(500);
}

#[test]
fn groups_that_make_no_sense_are_refused_at_their_place() {
    for (steps, told) in [
        ("{ any_of = [] }", "any_of"),
        ("{ any_of = [\"api-key\"], all_of = [\"partner\"] }", "either `any_of` or `all_of`"),
        ("{ any_of = [\"api-key\"], use = \"partner\" }", "`use` belongs to a single step"),
        ("{ any_of = [{ any_of = [\"api-key\"] }] }", "groups go no deeper"),
        ("{ any_of = [\"api-key\", \"api-key\"] }", "two steps are named `api-key`"),
        ("{ any_of = [\"api-key\", \"nobody\"] }", "there is no plugin `nobody`"),
        ("{ any_of = [{ use = \"api-key\", on_error = \"allow\" }] }", "would let anybody in"),
        (
            "{ any_of = [{ use = \"headers\", config = { request = {}, response = { set = { a = \"b\" } } } }] }",
            "no `request` phase",
        ),
        ("{ name = \"x\" }", "`use` is missing"),
    ] {
        let (setup, text) = setup();
        let (code, words) =
            setup.check(&(text + &format!("[routes.all]\nsteps = [{steps}]\nto = \"service\"\n")));
        assert_eq!(code, 1, "{steps}: {words}");
        assert!(words.contains(told), "{steps}: {words}");
    }
}
