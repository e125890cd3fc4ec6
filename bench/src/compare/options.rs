//! What the command line says.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use super::peer::Peer;

pub(crate) const USAGE: &str = "\
usage: sluice-bench [--quick] [--only SCENARIO,..] [--peers PEER,..] [--rounds N] [--seconds N] [--dry]";

/// How much is measured.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) quick: bool,
    /// Whether the results are only printed.
    pub(crate) dry: bool,
    only: Vec<String>,
    peers: Vec<String>,
    pub(crate) rounds: usize,
    pub(crate) paced_rounds: usize,
    pub(crate) time: Duration,
    pub(crate) warm_up: Duration,
}

impl Options {
    pub(crate) fn parse(arguments: &[String], scenarios: &[&str]) -> Result<Self> {
        let quick = arguments.iter().any(|argument| argument == "--quick");
        let (rounds, seconds) = if quick { (2, 1) } else { (5, 4) };
        let mut options = Self {
            quick,
            dry: false,
            only: Vec::new(),
            peers: Vec::new(),
            rounds,
            paced_rounds: if quick { 1 } else { 3 },
            time: Duration::from_secs(seconds),
            warm_up: Duration::from_secs(1),
        };
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().with_context(|| format!("`{word}` wants a value\n\n{USAGE}"));
            match word.as_str() {
                "--quick" => {}
                "--dry" => options.dry = true,
                "--only" => options.only = list(value()?),
                "--peers" => options.peers = list(value()?),
                "--rounds" => options.rounds = value()?.parse()?,
                "--seconds" => options.time = Duration::from_secs(value()?.parse()?),
                other => bail!("`{other}` is not known\n\n{USAGE}"),
            }
        }
        ensure!(options.rounds > 0 && !options.time.is_zero(), "nothing is measured in no time");
        for name in &options.only {
            ensure!(
                scenarios.contains(&name.as_str()),
                "there is no scenario `{name}`; there are: {}",
                scenarios.join(", ")
            );
        }
        let peers = Peer::ALL.map(Peer::word);
        for name in &options.peers {
            ensure!(peers.contains(name), "there is no peer `{name}`; there are: {}", peers.join(", "));
        }
        // Part of the peers is no comparison to keep.
        options.dry |= !options.peers.is_empty();
        Ok(options)
    }

    pub(crate) fn wants(&self, peer: Peer) -> bool {
        self.peers.is_empty() || self.peers.contains(&peer.word())
    }

    /// Whether there is time to measure latency too: in a quick look for the two first scenarios.
    pub(crate) fn paces(&self, scenario: &str) -> bool {
        !self.quick || matches!(scenario, "plain" | "policy")
    }

    pub(crate) fn wants_scenario(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name)
    }
}

fn list(words: &str) -> Vec<String> {
    words.split(',').map(|word| word.trim().to_owned()).filter(|word| !word.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::{Duration, Options, Peer};

    fn parse(line: &str) -> anyhow::Result<Options> {
        let words: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
        Options::parse(&words, &["plain", "policy"])
    }

    #[test]
    fn lists_choose_scenarios_and_peers() {
        let options = parse("--only policy --peers nginx-lua,sluice --rounds 2 --seconds 3").unwrap();
        assert!(options.wants_scenario("policy") && !options.wants_scenario("plain"));
        assert!(options.wants(Peer::NginxLua) && !options.wants(Peer::Nginx));
        assert!(options.dry, "a part of the peers is no comparison");
        assert_eq!((options.rounds, options.time), (2, Duration::from_secs(3)));
    }

    #[test]
    fn what_is_not_known_is_refused_by_name() {
        for (line, word) in [
            ("--only polcy", "polcy"),
            ("--fast", "--fast"),
            ("--peers squid", "squid"),
            ("--rounds 0", "no time"),
        ] {
            let error = parse(line).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
    }
}
