//! Fills the templates of `bench/peers/` and writes what else a peer reads.

use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::keys;
use super::peer::Peer;
use super::scenario::{Case, Check};
use crate::harness::{ports, root, seal};

/// Where this tool keeps what it makes, and what `cargo xtask bench` built for it.
pub(crate) fn scratch() -> PathBuf {
    root().join("target/bench")
}

/// The built-in plugins: those of this checkout, unless `SLUICE_PLUGINS` names those that belong to another gateway.
pub(crate) fn plugins() -> PathBuf {
    std::env::var_os("SLUICE_PLUGINS").map_or_else(|| root().join("target/plugins"), PathBuf::from)
}

/// Writes the configuration of a peer for a case into `directory` and gives its path.
pub(crate) fn write(peer: Peer, case: &Case, directory: &Path, listen: u16, origin: u16) -> Result<PathBuf> {
    let template = peer.template(case.template).context("a peer without this template does not take part")?;
    let mut text = fs::read_to_string(&template)?;
    for (mark, lines) in &case.marks {
        text = in_lines(&text, mark, lines);
    }
    let code = if case.own_code { directory.join("code") } else { scratch().join("code") };
    let fill = |text: &str, directory: &Path| {
        text.replace("@DIR@", &directory.display().to_string())
            .replace("@LISTEN@", &listen.to_string())
            .replace("@ORIGIN@", &origin.to_string())
            .replace("@ADMIN@", &ports::free().port().to_string())
            .replace("@PLUGINS@", &plugins().display().to_string())
            .replace("@BENCH_PLUGINS@", &scratch().join("plugins").display().to_string())
            .replace("@CODE@", &code.display().to_string())
    };
    let text = in_lines(&text, "@KEYS@", &keys_for(peer));
    let text = in_lines(&text, "@STEPS@", &steps_for(peer, case.steps));
    let text = in_lines(&text, "@ROUTES@", &routes_for(peer, case));
    let text = text.replace("@JWKS@", &fs::read_to_string(directory.join("jwks.json")).unwrap_or_default());
    let config = directory.join(template.file_name().context("a template has a name")?);
    fs::write(&config, fill(&text, directory))?;

    let keys: Vec<_> = keys::all().collect();
    fs::write(directory.join("keys.txt"), keys.join("\n") + "\n")?;
    fs::write(directory.join("keys.map"), lines(&keys, |number, key| format!("{key} c{number}")))?;
    if peer == Peer::Haproxy {
        let map = (0..case.routes).map(|number| format!("{} origin\n", prefix(number)));
        fs::write(directory.join("routes.map"), map.collect::<String>())?;
        fs::copy(template.with_file_name("noop.lua"), directory.join("noop.lua"))?;
    }
    if matches!(case.check, Check::Transcoded) {
        let set = root().join("examples/protocol-translation/library.binpb");
        fs::copy(set, directory.join("library.binpb"))?;
    }
    if case.plugins > 0 {
        copies(case.plugins, directory)?;
    }
    if peer == Peer::EnvoyWasm {
        for filter in ["noop", "json", "policy"] {
            let name = format!("{filter}.wasm");
            fs::copy(scratch().join("filters").join(&name), directory.join(&name))
                .with_context(|| format!("the proxy-wasm filter `{filter}` is not built"))?;
        }
    }
    Ok(config)
}

/// The magic number and the version of a module.
const HEADER: usize = 8;

/// Plugins of the same code that are nevertheless distinct: each has a custom section of its own.
fn copies(count: usize, directory: &Path) -> Result<()> {
    let module = fs::read(scratch().join("plugins/noop.wasm")).context("the plugin `noop` is not built")?;
    for number in 0..count {
        // A custom section at the first place where one may stand: id 0, its size, and its name with the name's size.
        let mark = format!("copy {number:06}");
        let mut copy = module.clone();
        copy.splice(HEADER..HEADER, [0, 12, 11].into_iter().chain(mark.bytes()));
        fs::write(directory.join(format!("p{number}.wasm")), seal::seal(&copy))?;
    }
    Ok(())
}

/// The address of Sluice's admin listener, from the configuration in a directory.
pub(crate) fn admin(directory: &Path) -> Option<SocketAddr> {
    let files = fs::read_dir(directory).ok()?.flatten().map(|entry| entry.path());
    let mut configs = files.filter(|path| path.extension().is_some_and(|end| end == "toml"));
    let text = fs::read_to_string(configs.next()?).ok()?;
    let (_, rest) = text.split_once("[listeners.admin]\nbind = \"")?;
    rest.split_once('"')?.0.parse().ok()
}

/// Puts lines in the place of those that hold nothing but `mark`; a comment may name it.
fn in_lines(text: &str, mark: &str, lines: &str) -> String {
    let mut filled = String::new();
    for line in text.lines() {
        filled += if line.trim() == mark { lines.trim_end() } else { line };
        filled.push('\n');
    }
    filled
}

fn lines(keys: &[String], line: impl Fn(usize, &str) -> String) -> String {
    let mut text = String::new();
    for (number, key) in keys.iter().enumerate() {
        text += &line(number, key);
        text.push('\n');
    }
    text
}

fn keys_for(peer: Peer) -> String {
    let keys: Vec<_> = keys::all().collect();
    lines(&keys, |number, key| match peer {
        Peer::Nginx => format!("        \"{key}\" \"c{number}\";"),
        Peer::NginxLua => format!("            [\"{key}\"] = \"c{number}\","),
        Peer::Envoy => format!("                - {{ key: {key}, client: {key} }}"),
        Peer::EnvoyWasm => format!("                      {key}"),
        Peer::Sluice => {
            format!("[consumers.c{number}]\nkeys = [{{ hash = \"hmac-sha256:{}\" }}]", keys::digest(key))
        }
        Peer::Haproxy | Peer::Pingora => String::new(),
    })
}

fn steps_for(peer: Peer, steps: usize) -> String {
    let mut text = String::new();
    for number in 0..steps {
        let _ = match peer {
            Peer::NginxLua => writeln!(text, "            noop(),"),
            Peer::Haproxy => writeln!(text, "    http-request lua.noop\n    http-response lua.noop"),
            Peer::EnvoyWasm => writeln!(
                text,
                "          - {{ name: noop-{number}, typed_config: {{ \"@type\": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm, config: {{ name: noop-{number}, vm_config: {{ vm_id: noop, runtime: envoy.wasm.runtime.v8, code: {{ local: {{ filename: \"@DIR@/noop.wasm\" }} }} }} }} }} }}"
            ),
            Peer::Sluice => writeln!(text, "    {{ use = \"noop\", name = \"noop-{number}\" }},"),
            Peer::Nginx | Peer::Envoy | Peer::Pingora => Ok(()),
        };
    }
    text
}

/// What all paths of a route begin with.
fn prefix(number: usize) -> String {
    format!("/v1/things{number}/")
}

fn routes_for(peer: Peer, case: &Case) -> String {
    let mut text = String::new();
    for number in 0..case.plugins {
        let isolation = case.isolation;
        let _ = writeln!(
            text,
            "[plugins.p{number}]\nmodule = \"p{number}.wasm\"\nisolation = \"{isolation}\"\n\
             [routes.p{number}]\nmatch = {{ path = \"/p{number}/**\" }}\nsteps = [\"p{number}\"]\nto = \"origin\""
        );
    }
    for number in 0..case.routes {
        let prefix = prefix(number);
        let _ = match peer {
            Peer::Nginx => writeln!(text, "        location {prefix} {{ proxy_pass http://origin; }}"),
            Peer::Sluice => {
                writeln!(text, "[routes.r{number}]\nmatch = {{ path = \"{prefix}**\" }}\nto = \"origin\"")
            }
            _ => Ok(()),
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::in_lines;

    #[test]
    fn a_mark_is_filled_where_it_stands_alone() {
        assert_eq!(
            in_lines("# @KEYS@: a line each\n  @KEYS@\nend", "@KEYS@", "a\nb\n"),
            "# @KEYS@: a line each\na\nb\nend\n"
        );
    }
}
