//! h2load: as many requests as the proxy takes, over a few connections of HTTP/2.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::{CONNECTIONS, Request, Served};

/// With as many streams on each as make the 64 of the other scenarios.
const CLIENTS: usize = 8;

pub(crate) fn run(address: SocketAddr, requests: &[Request], time: Duration) -> Result<Served> {
    let request = requests.first().context("a request to send")?;
    let seconds = time.as_secs().max(1);
    let mut command = super::batch("h2load");
    command.args(["-t", "1", "-c", &CLIENTS.to_string(), "-m", &(CONNECTIONS / CLIENTS).to_string()]);
    command.args(["-D", &seconds.to_string()]);
    for (name, value) in &request.headers {
        command.args(["-H", &format!("{name}: {value}")]);
    }
    let output =
        command.arg(format!("http://{address}{}", request.path)).output().context("cannot run h2load")?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "h2load failed: {text}{}", String::from_utf8_lossy(&output.stderr));
    parse(&text).with_context(|| format!("h2load's words were not understood:\n{text}"))
}

fn parse(text: &str) -> Option<Served> {
    let line = |name: &str| text.lines().find_map(|line| line.trim().strip_prefix(name));
    let count = |line: &str, word: &str| -> Option<u64> {
        line.split(',').find_map(|part| part.trim().strip_suffix(word)?.trim().parse().ok())
    };
    let per_second = line("finished in ")?.split(',').nth(1)?.trim().strip_suffix(" req/s")?.parse().ok()?;
    let requests = line("requests: ")?;
    let good = count(line("status codes: ")?, "2xx")?;
    let done = count(requests, "done")?;
    let failed = done.saturating_sub(good).max(count(requests, "failed")? + count(requests, "errored")?);
    Some(Served { requests: done, per_second, failed })
}

#[cfg(test)]
mod tests {
    use super::{Served, parse};

    #[test]
    fn a_run_is_read() {
        let text = "finished in 1.00s, 20480.00 req/s, 3.26MB/s\nrequests: 20480 total, 20480 started, 20480 done, 20470 succeeded, 10 failed, 0 errored, 0 timeout\nstatus codes: 20470 2xx, 0 3xx, 0 4xx, 10 5xx\n";
        let served = parse(text);
        assert_eq!(served, Some(Served { requests: 20_480, per_second: 20_480.0, failed: 10 }));
        assert_eq!(parse("[ERROR] connection refused"), None);
    }
}
