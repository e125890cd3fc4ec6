//! Damaged plugin files, and a gateway to which they are offered.

use super::{Gateway, Origin, Probe, Setup, config};

/// Numbers that look random and are the same in every run.
pub(crate) fn scattered(count: usize, below: usize) -> impl Iterator<Item = usize> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    (0..count).map(move |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).expect("31 bits") % below
    })
}

/// The file with one bit changed.
pub(crate) fn flipped(good: &[u8], bit: usize) -> Vec<u8> {
    let mut bytes = good.to_vec();
    bytes[bit / 8] ^= 1 << (bit % 8);
    bytes
}

/// A gateway whose one step is the plugin `victim`.
pub(crate) fn start(bytes: &[u8], more: &str) -> Gateway {
    let text = config::plugin("victim", more) + &config::service(Origin::echo(), &["victim"]);
    Setup::new().plugin("victim", bytes).start(&text)
}

/// Offers each damaged file and asserts that it is refused while the good one goes on serving; how often it served.
#[track_caller]
pub(crate) fn offer(good: &[u8], config: &str, damaged: impl Iterator<Item = Vec<u8>>) -> usize {
    let gateway = start(good, &format!("{config}\n[reload]\nwatch = false"));
    let generation = gateway.generation();
    let probe = Probe::start(gateway.public, "/");
    for bytes in damaged {
        gateway.install_plugin("victim", &bytes);
        let answer = gateway.reload();
        assert_eq!(answer.status, 422, "{} bytes: {}", bytes.len(), answer.text());
    }
    assert_eq!(gateway.generation(), generation);
    gateway.install_plugin("victim", good);
    assert_eq!(gateway.reload().expect(200).json()["result"], "unchanged");
    probe.finish()
}
