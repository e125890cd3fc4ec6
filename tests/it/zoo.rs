//! The guest zoo side by side in one gateway: each misbehaves again and again, and a steady probe through the very
//! same plugin sees nothing of it.

use crate::faults::times;
use crate::harness::{Gateway, Origin, Probe, Setup, config, guest, wait};

/// Time enough to reach another limit first, on a busy machine too.
const PATIENT: &str = "limits = { time = \"500ms\", exchange_time = \"1s\" }";

/// Guests that misbehave at a request's mark, the kind of their fault, what they are granted.
const ZOO: &[(&str, &str, &str)] = &[
    ("trap", "trap", ""),
    ("panic", "trap", ""),
    ("endless-loop", "deadline", ""),
    ("memory-bomb", "memory", PATIENT),
    ("hoard", "memory", PATIENT),
    ("table-growth", "table", PATIENT),
    ("recursion", "stack", PATIENT),
    ("memory-fill", "deadline", ""),
    ("huge-header", "failed", ""),
    ("many-headers", "failed", ""),
    ("huge-log", "log-bytes", "capabilities = [\"log\"]"),
    ("many-host-calls", "host-calls", ""),
    ("bad-answer", "bad-output", ""),
    ("empty-answer", "bad-output", ""),
    ("malformed-answer", "refused-call", ""),
    ("trap-in-response", "trap", ""),
    ("trap-in-response-body", "trap", ""),
];

fn open_zoo() -> Gateway {
    let mut setup = Setup::new();
    let mut text = config::upstream("service", Origin::echo());
    for (name, _, granted) in ZOO {
        setup = setup.plugin(name, guest(name));
        // Nothing but faults for seconds on one worker would open the circuit there, and those calls would not count.
        text += &config::plugin(name, &format!("{granted}\ncircuit = \"off\""));
        text += &config::route(name, &format!("/{name}"), &[name]);
    }
    setup.start(&text)
}

#[test]
fn a_misbehaving_call_hurts_its_own_exchange_alone() {
    let repeats = times(20);
    let mut gateway = open_zoo();
    let id = gateway.id();
    let mut settled = 0;
    for round in 0..2 {
        for (name, kind, _) in ZOO {
            let path = format!("/{name}");
            let probe = Probe::start(gateway.public, &path);
            let mut client = gateway.connect();
            for _ in 0..repeats {
                let answer = client.request("GET", &path, &[("x-misbehave", "1")], b"");
                assert_eq!(answer.problem(500)["step"], *name);
            }
            probe.finish();
            let faults = told(&gateway, name, repeats * (round + 1));
            assert_eq!(faults["by_kind"][kind], faults["count"], "{name}: {faults}");
        }
        // The first round fills pools and arenas, the second must add nothing.
        if round == 0 {
            settled = gateway.memory();
        }
    }
    assert!(gateway.is_running());
    assert_eq!(gateway.id(), id);
    let grown = gateway.memory().saturating_sub(settled);
    assert!(grown < 24 << 20, "{} KiB more after the second round", grown >> 10);
}

/// What `/snapshot` tells of a plugin's faults, once it tells of so many.
fn told(gateway: &Gateway, plugin: &str, count: usize) -> serde_json::Value {
    wait::until_some(&format!("{count} faults of {plugin} are told of"), || {
        let snapshot = gateway.snapshot();
        let plugins = snapshot["plugins"].as_array().unwrap();
        let faults = plugins.iter().find(|found| found["name"] == plugin).unwrap()["faults"].clone();
        (faults["count"] == count).then_some(faults)
    })
}

/// Every host function of the ABI: module, name, parameters, result.
const FUNCTIONS: &[(&str, &str, &str, &str)] = &[
    ("http", "result", "i32 i32", "i64"),
    ("http", "config_read", "i32 i32", "i64"),
    ("http", "text_get", "i32 i32 i32", "i64"),
    ("http", "text_set", "i32 i32 i32", "i32"),
    ("http", "header_get", "i32 i32 i32 i32 i32", "i64"),
    ("http", "header_values", "i32 i32 i32 i32 i32", "i64"),
    ("http", "header_list", "i32 i32 i32", "i64"),
    ("http", "header_set", "i32 i32 i32 i32 i32", "i32"),
    ("http", "header_append", "i32 i32 i32 i32 i32", "i32"),
    ("http", "header_remove", "i32 i32 i32", "i32"),
    ("http", "header_remove_prefix", "i32 i32 i32", "i32"),
    ("http", "body_read", "i32 i32 i32", "i64"),
    ("http", "body_write", "i32 i32", "i32"),
    ("http", "respond", "i32 i32", "i32"),
    ("http", "fail", "i32 i32", "i32"),
    ("http", "context_get", "i32 i32 i32 i32 i32", "i64"),
    ("http", "context_set", "i32 i32 i32 i32 i32", "i32"),
    ("http", "context_remove", "i32 i32 i32", "i32"),
    ("http", "outcome", "i32 i32", "i64"),
    ("http", "consumer", "i32 i32", "i64"),
    ("http", "certificate", "i32 i32", "i64"),
    ("http", "path_param", "i32 i32 i32 i32", "i64"),
    ("http", "body_mode", "i32 i32", "i32"),
    ("http", "body_hold", "i32 i32", "i32"),
    ("http", "asset_length", "i32 i32", "i64"),
    ("http", "asset_read", "i32 i32 i32 i32 i32", "i64"),
    ("http", "number_get", "i32", "i64"),
    ("http", "number_set", "i32 i64", "i32"),
    ("log", "write", "i32 i32 i32", "i32"),
    ("random", "fill", "i32 i32", "i32"),
    ("store", "get", "i32 i32 i32 i32", "i64"),
    ("store", "set", "i32 i32 i32 i32 i64", "i32"),
    ("store", "cache", "i32 i32 i32 i32 i64", "i32"),
    ("store", "delete", "i32 i32", "i32"),
    ("store", "add", "i32 i32 i64 i64 i32", "i32"),
    ("store", "take", "i32 i32 i32 i32", "i64"),
    ("store", "lead", "i32 i32 i64 i64 i32 i32", "i64"),
    ("store", "release", "i32 i32", "i32"),
    ("consumers", "identify", "i32 i32 i32 i32 i32", "i64"),
    ("consumers", "set_consumer", "i32 i32 i32 i32", "i32"),
    ("consumers", "signature_key", "i32 i32", "i32"),
    ("jwks", "verify", "i32 i32 i32 i32 i32 i32 i32 i32 i32", "i32"),
    ("crypto", "digest", "i32 i32 i32 i32 i32", "i64"),
    ("crypto", "key_secret", "i32 i32", "i32"),
    ("crypto", "key_raw", "i32 i32", "i32"),
    ("crypto", "key_public", "i32 i32", "i32"),
    ("crypto", "hmac", "i32 i32 i32 i32 i32 i32", "i64"),
    ("crypto", "hmac_verify", "i32 i32 i32 i32 i32 i32", "i32"),
    ("crypto", "equal", "i32 i32 i32 i32", "i32"),
    ("crypto", "verify", "i32 i32 i32 i32 i32 i32", "i32"),
    ("fetch", "fetch", "i32 i32 i32 i32", "i64"),
];

#[test]
fn bad_pointers_to_every_host_function_hurt_nobody_else() {
    let text =
        std::fs::read_to_string(crate::harness::root().join("tests/guests/text/bad-pointer.wat")).unwrap();
    let capabilities = "capabilities = [\"log\", \"random\", \"store\", \"consumers\", \"crypto\", \"fetch:service\", \"jwks:none\"]\ncircuit = \"off\"";
    let mut setup = Setup::new();
    let mut config = config::upstream("service", Origin::echo())
        + "[jwks.none]\nkeys = '{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}'\n";
    let mut paths = Vec::new();
    for (module, name, types, result) in FUNCTIONS {
        // All ones; the largest positive; a pointer at the end of memory with a length that runs over.
        for (variant, pattern) in [[-1_i64, -1], [0x7fff_ffff, 0x7fff_ffff], [65_530, 100]].iter().enumerate()
        {
            let arguments: Vec<_> = types
                .split(' ')
                .enumerate()
                .map(|(index, kind)| format!("({kind}.const {})", pattern[index % 2]))
                .collect();
            let guest = text
                .replace("@module@", &format!("sluice:v1/{module}"))
                .replace("@name@", name)
                .replace("@types@", types)
                .replace("@result@", result)
                .replace("@arguments@", &arguments.join(" "));
            let plugin = format!("{module}-{}-{variant}", name.replace('_', "-"));
            setup = setup.plugin(&plugin, crate::harness::guests::assemble(&guest));
            config += &config::plugin(&plugin, capabilities);
            config += &config::route(&plugin, &format!("/{plugin}"), &[&plugin]);
            paths.push(format!("/{plugin}"));
        }
    }
    let mut gateway = setup.start(&config);
    let probe = Probe::start(gateway.public, &paths[0]);
    let mut client = gateway.connect();
    let mut refused = 0;
    for path in &paths {
        client.get(path).expect(200);
        let answer = client.request("GET", path, &[("x-misbehave", "1")], b"");
        // Refused with a code, which this guest ignores, or with a trap.
        assert!([200, 500].contains(&answer.status), "{path}: {}", answer.status);
        refused += usize::from(answer.status == 500);
        client.get(path).expect(200);
    }
    probe.finish();
    assert!(gateway.is_running());
    assert!(refused >= FUNCTIONS.len(), "only {refused} of {} calls were refused", paths.len());
}
