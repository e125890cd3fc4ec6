//! What a request costs with few and with many routes: CPU time of the gateway's process, one worker.

use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::harness::{Connection, Gateway, Origin, config};
use crate::report::Report;

const FEW: u64 = 100;
const MANY: u64 = 10_000;
const ROUNDS: usize = 5;
const CONNECTIONS: u64 = 4;

pub(crate) fn run(requests: u64) -> Result<()> {
    let origin = Origin::echo().to_string();
    let (few, many) = (start(&origin, FEW), start(&origin, MANY));
    // The size of the table, and how much of it traffic visits, are two things: visiting 10,000 routes also touches the
    // counters of 10,000 routes, which no cache holds.
    let cases = [
        ("100 routes, all visited", &few, FEW, FEW),
        ("10000 routes, 100 of them visited", &many, MANY, FEW),
        ("10000 routes, all visited", &many, MANY, MANY),
    ];
    let mut costs = cases.map(|_| Vec::new());
    for round in 0..=ROUNDS {
        // Turn by turn, so that whatever else the machine does falls on all.
        for (costs, (_, gateway, routes, visited)) in costs.iter_mut().zip(&cases) {
            let cost = cost(gateway, *routes, *visited, requests);
            // The first round warms up.
            if round > 0 {
                costs.push(cost);
            }
        }
    }
    let mut report = Report::new("Cost of a request by number of routes");
    report.row("requests in a round", requests);
    for (costs, (name, ..)) in costs.iter_mut().zip(&cases) {
        costs.sort_by(f64::total_cmp);
        let list: Vec<_> = costs.iter().map(|cost| format!("{cost:.1}")).collect();
        report.row(format!("{name}: µs of CPU a request, {ROUNDS} rounds"), list.join(", "));
    }
    let [few, many, all] = costs.map(|costs| costs[ROUNDS / 2]);
    report.row("medians", format!("{few:.1}, {many:.1} and {all:.1} µs"));
    report.finish()?;
    ensure!(many < few * 1.1, "many routes cost {many:.1} µs, few {few:.1} µs");
    Ok(())
}

fn start(origin: &str, count: u64) -> Gateway {
    let mut text = format!("workers = 1\n{}", config::upstream("service", origin));
    for number in 0..count {
        text += &format!(
            "[routes.r{number}]\nmatch = {{ hosts = [\"h{}.example\"], path = \"/v1/things{number}/{{id}}/**\" }}\nto = \"service\"\n",
            number % 10
        );
    }
    Gateway::start(&(text + "[telemetry]\nlog = \"warn\"\naccess_log = \"off\"\n"))
}

/// CPU time of a request in microseconds.
fn cost(gateway: &Gateway, routes: u64, visited: u64, requests: u64) -> f64 {
    let before = gateway.cpu_time();
    thread::scope(|scope| {
        for client in 0..CONNECTIONS {
            scope.spawn(move || {
                let mut connection = Connection::open(gateway.public);
                for turn in 0..requests / CONNECTIONS {
                    // Steps that visit routes all over the table, in no order that a cache could guess.
                    let number = (turn * 7919 + client * 104_729) % visited * (routes / visited);
                    let host = format!("h{}.example", number % 10);
                    let path = format!("/v1/things{number}/17/parts");
                    let answer = connection.request("GET", &path, &[("host", &host)], b"");
                    assert_eq!(answer.status, 200);
                }
            });
        }
    });
    let used: Duration = gateway.cpu_time() - before;
    used.as_secs_f64() * 1e6 / requests as f64
}
