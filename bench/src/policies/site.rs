//! Processes with the routes that are measured: gateways, nginx; and the Redis server behind some of them.

use std::fmt::Write as _;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::credentials::{Credentials, basic};
use super::expect::is_connected;
use super::{Policy, list};
use crate::compare::launch::{Prepared, Proxy};
use crate::compare::load::{Request, batch};
use crate::compare::peer::{Peer, find};
use crate::compare::process::Running;
use crate::compare::scenario::Case;
use crate::compare::{keys, template};
use crate::harness::{ports, root, wait};

const NETWORKS: usize = 1000;
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// A process that is to be measured.
pub(crate) struct Site {
    pub(crate) name: &'static str,
    pub(crate) peer: Peer,
    /// The gateway's `[store]`, if it is not the default.
    pub(crate) store: Option<String>,
    pub(crate) policies: Vec<Policy>,
    /// What fills the marks of the template.
    marks: Vec<(&'static str, String)>,
}

/// What a policy is verified with.
pub(crate) struct Around<'a> {
    pub(crate) proxy: &'a Proxy,
    pub(crate) service: SocketAddr,
    pub(crate) redis: Option<&'a Redis>,
}

/// All of them, nginx last.
pub(crate) fn all(credentials: &Credentials, service: SocketAddr, redis: Option<&Redis>) -> Vec<Site> {
    let gateway = |name, store: Option<String>, policies: Vec<Policy>| Site {
        name,
        peer: Peer::Sluice,
        marks: marks(credentials, service, &policies, store.as_deref()),
        store,
        policies,
    };
    let mut sites = vec![gateway("gateway", None, list::gateway(credentials))];
    // Who is trusted says which certificate the client has shown.
    let mut behind = gateway("gateway behind a proxy", None, list::behind_a_proxy());
    behind.marks.push(("@TRUST@", "trusted_proxies = [\"127.0.0.0/8\"]".to_owned()));
    sites.push(behind);
    if let Some(redis) = redis {
        for (name, lease) in [("gateway with Redis", ""), ("gateway with leases", "lease = 0.01\n")] {
            let prefix = name.replace(' ', "-");
            let store = format!("[store]\ncounters = \"{}\"\nprefix = \"{prefix}:\"\n{lease}", redis.url());
            sites.push(gateway(name, Some(store), list::counted_on_redis(!lease.is_empty())));
        }
    }
    sites.push(Site {
        name: "nginx",
        peer: Peer::NginxLua,
        store: None,
        policies: list::nginx(),
        marks: vec![("@USERS@", users()), ("@NETWORKS@", networks("allow ", ";"))],
    });
    // A mark that a site has nothing for is an empty line.
    for site in &mut sites {
        if !site.marks.iter().any(|(mark, _)| *mark == "@TRUST@") {
            site.marks.push(("@TRUST@", String::new()));
        }
    }
    sites
}

fn marks(
    credentials: &Credentials,
    service: SocketAddr,
    policies: &[Policy],
    store: Option<&str>,
) -> Vec<(&'static str, String)> {
    let mut files: Vec<_> = policies.iter().filter_map(|policy| policy.file).collect();
    files.dedup();
    let texts = files.into_iter().filter_map(read).filter(|text| unbuilt(text).is_none());
    let text = texts.collect::<Vec<_>>().join("\n").replace("@SERVICE@", &service.port().to_string());
    vec![
        ("@POLICIES@", credentials.fill(&text)),
        ("@NETWORKS@", networks("\"", "\",")),
        ("@CONSUMERS@", Credentials::consumers()),
        ("@STORE@", store.unwrap_or_default().to_owned()),
    ]
}

fn read(file: &str) -> Option<String> {
    fs::read_to_string(root().join(format!("bench/peers/sluice/policies/{file}.toml"))).ok()
}

/// The first plugin that a policy's file names and that is not there.
fn unbuilt(text: &str) -> Option<String> {
    let names = text.split("@PLUGINS@/").skip(1).filter_map(|rest| rest.split_once('"'));
    names.map(|(name, _)| name.to_owned()).find(|name| !template::plugins().join(name).is_file())
}

/// Everyone who may come in, for a table of Lua.
fn users() -> String {
    let line = |number| format!("            [\"{}\"] = \"c{number}\",\n", basic(number));
    (0..keys::COUNT).map(line).collect()
}

/// No two of which are next to each other. The template has one more.
fn networks(before: &str, after: &str) -> String {
    let mut text = String::new();
    for number in 0..NETWORKS - 1 {
        let _ = writeln!(text, "    {before}10.{}.{}.0/24{after}", number / 100, number % 100 * 2);
    }
    text
}

impl Site {
    /// Leaves out what is not wanted; what a row is compared with stays.
    pub(crate) fn keep(&mut self, wanted: impl Fn(&str) -> bool) {
        let bases: Vec<_> = self.policies.iter().filter(|policy| wanted(policy.route)).collect();
        let bases: Vec<_> = bases.into_iter().filter_map(|policy| policy.base).collect();
        let nginx = self.peer == Peer::NginxLua;
        self.policies.retain(|policy| nginx || wanted(policy.route) || bases.contains(&policy.route));
    }

    /// Leaves out whose plugins are not there, and tells which.
    pub(crate) fn leave_out_unbuilt(&mut self) -> Vec<String> {
        let mut missing = Vec::new();
        self.policies.retain(|policy| {
            let plugin = policy.file.and_then(read).as_deref().and_then(unbuilt);
            missing.extend(plugin.as_ref().map(|plugin| format!("{}: no {plugin}", policy.name)));
            plugin.is_none()
        });
        missing
    }

    pub(crate) fn start(&mut self, origin: SocketAddr) -> Result<Proxy> {
        let ready = vec![Request::get("/none/128")];
        let case = Case { marks: std::mem::take(&mut self.marks), ..Case::new(self.name, "policies", ready) };
        let prepared = Prepared::new(self.peer, &case, origin)?;
        let document = root().join("plugins/openapi-validate/tests/data/petstore-3.0.json");
        fs::copy(document, prepared.directory.join("petstore.json")).context("the petstore's document")?;
        let proxy = prepared.launch()?;
        let mut looks = 0;
        while self.store.is_some() && !is_connected(&proxy)? {
            looks += 1;
            ensure!(looks < 100, "it does not reach its store");
            wait::pause(LOOK_AGAIN);
        }
        Ok(proxy)
    }
}

/// A server that keeps nothing on disk, beside the origin.
pub(crate) struct Redis {
    address: SocketAddr,
    _running: Running,
}

impl Redis {
    /// None if it is not installed.
    pub(crate) fn start() -> Result<Option<Self>> {
        let Some(program) = find("redis-server") else { return Ok(None) };
        let address = ports::free();
        let directory = template::scratch().join("run/redis");
        fs::create_dir_all(&directory)?;
        let mut command = batch(program);
        command.current_dir(&directory).args(["--port", &address.port().to_string()]);
        command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        let mut running = Running::start(&mut command, &directory)?;
        running.wait_until(|| TcpStream::connect(address).is_ok())?;
        Ok(Some(Self { address, _running: running }))
    }

    fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// How many keys it has.
    pub(crate) fn keys(&self) -> Result<u64> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.write_all(b"DBSIZE\r\n")?;
        let mut answer = [0; 32];
        let count = stream.read(&mut answer)?;
        let text = std::str::from_utf8(&answer[..count])?.trim();
        text.trim_start_matches(':').parse().with_context(|| format!("`{text}` is no number of keys"))
    }
}

/// One request for each of the keys.
pub(crate) fn keyed(path: &str) -> Vec<Request> {
    keys::all().map(|key| Request::get(path).header("x-api-key", key)).collect()
}
