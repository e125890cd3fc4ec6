//! Damaged plugin files: cut short at every length, with single bits flipped. None is ever activated.

use std::fs;

use crate::harness::damage::{flipped, offer, scattered, start};
use crate::harness::{Probe, Setup, config, guest, guests, wait};

#[test]
fn truncations_of_every_length_are_refused() {
    let good = guest("trap");
    offer(&good, "", (0..good.len()).map(|length| good[..length].to_vec()));
}

#[test]
fn two_thousand_flipped_bits_are_refused() {
    let good = guest("trap");
    offer(&good, "", scattered(2000, good.len() * 8).map(|bit| flipped(&good, bit)));
}

#[test]
fn a_plugin_of_the_usual_size_is_no_different() {
    let good = guests::tag(1);
    let config = "config = { label = \"a\" }";
    offer(&good, config, scattered(100, good.len()).map(|length| good[..length].to_vec()));
    offer(&good, config, scattered(100, good.len() * 8).map(|bit| flipped(&good, bit)));
}

#[test]
fn files_dropped_into_the_directory_are_refused_the_same() {
    let good = guests::tag(1);
    let gateway = start(&good, "config = { label = \"a\" }\n[reload]\ndebounce = \"20ms\"");
    let probe = Probe::checking(gateway.public, "/", |response| {
        (response.header("x-tag") != Some("build-000001/a")).then(|| format!("{response:?}"))
    });
    let refused = || gateway.metrics().sum("sluice_reloads_total", &[("result", "refused")]);
    for (turn, at) in scattered(20, good.len()).enumerate() {
        let before = refused();
        let bytes = if turn % 2 == 0 { good[..at].to_vec() } else { flipped(&good, at * 8) };
        fs::write(gateway.path("plugins/victim.wasm"), bytes).unwrap();
        wait::until("it is refused", || refused() > before);
    }
    gateway.install_plugin("victim", &good);
    wait::until("all is well again", || gateway.snapshot()["last_refused_reload"].is_null());
    probe.finish();
}

#[test]
fn a_start_with_a_damaged_file_is_refused() {
    let good = guest("trap");
    let text = config::plugin("victim", "") + &config::service("127.0.0.1:1", &["victim"]);
    let refused = Setup::new().plugin("victim", &good[..good.len() - 1]).try_start(&text);
    assert_eq!(refused.err().expect("no gateway").status.code(), Some(1));
}
