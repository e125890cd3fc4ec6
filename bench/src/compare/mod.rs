//! `cargo xtask bench`: Sluice and its peers side by side, each alone on a core.

pub(crate) mod figures;
mod idle;
pub(crate) mod jwt;
pub(crate) mod keys;
pub(crate) mod launch;
pub(crate) mod load;
pub(crate) mod options;
pub(crate) mod peer;
mod plugins;
pub(crate) mod process;
pub(crate) mod rounds;
pub(crate) mod scenario;
mod startup;
pub(crate) mod system;
mod table;
pub(crate) mod template;
pub(crate) mod verify;

use std::net::SocketAddr;

use anyhow::Result;

use crate::harness::ports;
use crate::report;
use options::Options;
pub(crate) use options::USAGE;
use peer::Peer;
use scenario::Scenario;

/// What is measured without a load.
type Figures = fn(&Options, SocketAddr) -> Result<String>;
const FIGURES: [(&str, &str, Figures); 3] = [
    ("idle", "Idle connections", idle::run),
    ("plugins", "Many plugins", plugins::run),
    ("start", "Start, and memory at rest", startup::run),
];

/// Runs what the arguments choose, prints it and keeps it in `bench/RESULTS.md`.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let mut scenarios = scenario::all();
    let names = scenarios.iter().map(|scenario| scenario.name);
    let names: Vec<_> = names.chain(FIGURES.iter().map(|(name, ..)| *name)).collect();
    let options = Options::parse(arguments, &names)?;
    scenarios.retain(|scenario| options.wants_scenario(scenario.name));
    if options.quick {
        scenarios.iter_mut().for_each(|scenario| scenario.cases.retain(|case| case.quick));
    }
    jwt::prepare(&mut scenarios)?;
    process::settle()?;
    let address = ports::free();
    let _origin = process::origin(address, &template::scratch().join("run/origin"))?;

    let mut kept = Sections { options: &options, quick: String::new() };
    for scenario in &scenarios {
        eprintln!("{}", scenario.title);
        kept.keep(scenario.name, scenario.title, measure(scenario, &options, address)?)?;
    }
    for (name, title, figures) in FIGURES {
        if options.wants_scenario(name) {
            eprintln!("{title}");
            kept.keep(name, title, figures(&options, address)?)?;
        }
    }
    kept.finish()
}

/// Where results go: each to its section, or all of a quick look to one, which never stands for a full run.
struct Sections<'a> {
    options: &'a Options,
    quick: String,
}

impl Sections<'_> {
    fn keep(&mut self, name: &str, title: &str, text: String) -> Result<()> {
        if self.options.quick {
            let text = format!("**{title}.** {text}\n");
            print!("\n{text}");
            self.quick += &text;
            return Ok(());
        }
        report::section(name, title, &text, self.options.dry)
    }

    fn finish(self) -> Result<()> {
        if !self.options.quick || self.options.dry {
            return Ok(());
        }
        report::printed_section("quick", "A quick look", &self.quick)
    }
}

fn measure(scenario: &Scenario, options: &Options, origin: SocketAddr) -> Result<String> {
    let mut outcomes = Vec::new();
    for case in &scenario.cases {
        outcomes.push(rounds::run(case, options, origin)?);
    }
    let paced = outcomes.iter().any(|outcome| outcome.peers.iter().any(|peer| !peer.paced.is_empty()));
    let latency = if paced { " Latency at half of what each peer does at most." } else { "" };
    let took_part = |peer: &Peer| {
        outcomes.iter().any(|outcome| outcome.peers.iter().any(|measured| measured.peer == *peer))
    };
    Ok(format!(
        "{}{latency} {} rounds of {} s, median [least–most].\n\n{}\n{}",
        scenario.about,
        options.rounds,
        options.time.as_secs(),
        table::render(&outcomes, scenario.base),
        versions(Peer::ALL.into_iter().filter(took_part)),
    ))
}

pub(crate) fn versions(peers: impl IntoIterator<Item = Peer>) -> String {
    let versions = peers.into_iter().filter_map(|peer| Some(format!("{} {}", peer.name(), peer.version()?)));
    versions.collect::<Vec<_>>().join(", ") + ".\n"
}
