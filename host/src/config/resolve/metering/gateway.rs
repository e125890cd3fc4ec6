//! Which gateway this is.

use std::fs;
use std::sync::Arc;

use super::super::{Input, Resolver};
use crate::config::problem::Place;

/// Where the kernel, or else the system's own files, say what the machine is called.
const NAMES: [&str; 2] = ["/proc/sys/kernel/hostname", "/etc/hostname"];
const MOST: usize = 128;

impl Resolver<'_> {
    /// The gateway's id; second, whether the configuration itself says it.
    pub(in crate::config::resolve) fn gateway_id(&mut self, inputs: &[Input<'_>]) -> (Arc<str>, bool) {
        let Some((at, raw)) = self.single(inputs, "gateway", |raw| &raw.gateway) else {
            return (machine(), self.damaged);
        };
        let at = at.key("id");
        let lost = self.is_lost(&at);
        let Some(id) = self.given(&at, &raw.id) else { return (machine(), lost || at.is_written()) };
        if !is_id(id) {
            let expected = "up to 128 letters, digits and `-`, `_`, `.`";
            let message = match id.as_str() {
                "" => format!("expected {expected}, found nothing"),
                _ => format!("expected {expected}, found {}", at.written()),
            };
            self.invalid(&at, expected, &message, None);
        }
        (id.as_str().into(), true)
    }

    /// Gateways that share a ledger must not be taken for each other, and names of machines repeat.
    pub(super) fn needs_gateway_id(&mut self, ledger: Option<Place>) {
        let mut problem = crate::config::Problem::new("gateways that share a ledger need an `id` each");
        problem.place = ledger;
        problem.label = Some("`store.ledger`".to_owned());
        self.problems.push(problem.hint("add `[gateway]` with `id = \"edge-1\"`"));
    }
}

fn is_id(id: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    (1..=MOST).contains(&id.len()) && id.bytes().all(allowed)
}

/// What the machine is called, as far as that can be an id.
fn machine() -> Arc<str> {
    let read = NAMES.iter().find_map(|path| fs::read_to_string(path).ok());
    id_of(read.as_deref().unwrap_or_default())
}

fn id_of(name: &str) -> Arc<str> {
    let fit = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' };
    let id: String = name.trim().chars().take(MOST).map(fit).collect();
    if id.is_empty() { "gateway".into() } else { id.into() }
}

#[cfg(test)]
mod tests {
    use super::{id_of, is_id, machine};

    #[test]
    fn the_name_of_a_machine_becomes_an_id() {
        assert_eq!(&*id_of("edge-1.example\n"), "edge-1.example");
        assert_eq!(&*id_of("Björns Mac\n"), "Bj-rns-Mac");
        assert_eq!(&*id_of("\n"), "gateway");
        assert!(is_id(&machine()) && is_id(&id_of(&"x".repeat(300))));
    }
}
