//! wrk: as many requests as the proxy takes, over 64 connections of HTTP/1.1.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::{CONNECTIONS, Request, Served};

/// Puts the script and its requests into a directory, for [`run`].
pub(crate) fn prepare(requests: &[Request], directory: &Path) -> Result<()> {
    std::fs::create_dir_all(directory)?;
    let mut bytes = Vec::new();
    for request in requests {
        let request = request.bytes();
        bytes.extend_from_slice(format!("{}\n", request.len()).as_bytes());
        bytes.extend_from_slice(&request);
    }
    std::fs::write(directory.join("requests"), bytes)?;
    std::fs::write(directory.join("rotate.lua"), include_str!("rotate.lua"))?;
    Ok(())
}

pub(crate) fn run(
    address: SocketAddr,
    requests: &[Request],
    directory: &Path,
    time: Duration,
) -> Result<Served> {
    let mut command = super::batch("wrk");
    let seconds = time.as_secs().max(1);
    command.args([
        "-t",
        "1",
        "-c",
        &CONNECTIONS.to_string(),
        "-d",
        &format!("{seconds}s"),
        "--timeout",
        "10s",
    ]);
    match requests {
        // Without a script wrk costs less of the core that it shares with the origin.
        [one] if one.method == "GET" => {
            for (name, value) in &one.headers {
                command.args(["-H", &format!("{name}: {value}")]);
            }
            // In this case: wrk adds another `Host` if it does not see one.
            command.args(["-H", "Host: bench.example"]).arg(format!("http://{address}{}", one.path));
        }
        _ => {
            command.arg("-s").arg(directory.join("rotate.lua")).arg(format!("http://{address}/"));
            command.arg("--").arg(directory.join("requests"));
        }
    }
    let output = command.output().context("cannot run wrk")?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "wrk failed: {text}{}", String::from_utf8_lossy(&output.stderr));
    parse(&text).with_context(|| format!("wrk's words were not understood:\n{text}"))
}

fn parse(text: &str) -> Option<Served> {
    let after = |name: &str| text.lines().find_map(|line| line.trim().strip_prefix(name).map(str::trim));
    let requests =
        text.lines().find_map(|line| line.trim().split_once(" requests in ")?.0.parse::<u64>().ok())?;
    let per_second = after("Requests/sec:")?.parse().ok()?;
    let refused = after("Non-2xx or 3xx responses:").map_or(Some(0), |number| number.parse::<u64>().ok())?;
    // "connect 0, read 0, write 0, timeout 0"; the line is there only if one of them is not 0
    let broken: u64 = after("Socket errors:").map_or(0, |errors| {
        errors.split(',').filter_map(|error| error.rsplit(' ').next()?.parse::<u64>().ok()).sum()
    });
    Some(Served { requests, per_second, failed: refused + broken })
}

#[cfg(test)]
mod tests {
    use super::{Served, parse};

    #[test]
    fn a_clean_run_is_read() {
        let text = "Running 4s test @ http://127.0.0.1:18000/128\n  1 threads and 64 connections\n  Thread Stats   Avg      Stdev     Max   +/- Stdev\n    Latency     1.00ms  1.00ms   9.00ms   90.00%\n    Req/Sec    40.00k     1.00k   41.00k    90.00%\n  160001 requests in 4.00s, 40.00MB read\nRequests/sec:  40000.25\nTransfer/sec:     10.00MB\n";
        assert_eq!(parse(text), Some(Served { requests: 160_001, per_second: 40_000.25, failed: 0 }));
    }

    #[test]
    fn failures_of_both_kinds_are_counted() {
        let text = "  10 requests in 1.00s, 1.00KB read\n  Socket errors: connect 1, read 2, write 3, timeout 4\n  Non-2xx or 3xx responses: 5\nRequests/sec:     10.00\n";
        assert_eq!(parse(text).map(|served| served.failed), Some(15));
    }

    #[test]
    fn anything_else_is_not_taken_for_a_run() {
        assert_eq!(parse("unable to connect to 127.0.0.1:1 Connection refused\n"), None);
    }
}
