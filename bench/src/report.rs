//! A section on the screen and in `bench/RESULTS.md`, with the command and the machine.

use std::process::Command;

use anyhow::Result;

use crate::harness::root;
use crate::sections;

/// Rows of a name and a value.
pub(crate) struct Report {
    name: &'static str,
    title: &'static str,
    rows: Vec<(String, String)>,
}

impl Report {
    /// `name` is that of its section.
    pub(crate) fn new(name: &'static str, title: &'static str) -> Self {
        Self { name, title, rows: Vec::new() }
    }

    pub(crate) fn row(&mut self, name: impl Into<String>, value: impl ToString) {
        self.rows.push((name.into(), value.to_string()));
    }

    /// Prints and keeps.
    pub(crate) fn finish(self) -> Result<()> {
        let mut text = "| | |\n|---|---|\n".to_owned();
        for (name, value) in &self.rows {
            text += &format!("| {name} | {value} |\n");
        }
        section(self.name, self.title, &text, false)
    }
}

/// Prints a section and, unless `dry`, puts it in the place of the one of this name.
pub(crate) fn section(name: &str, title: &str, text: &str, dry: bool) -> Result<()> {
    let text = compose(title, text);
    println!("\n{text}");
    if dry { Ok(()) } else { store(name, &text) }
}

/// Puts a section, which was printed piece by piece, in the place of the one of this name.
pub(crate) fn printed_section(name: &str, title: &str, text: &str) -> Result<()> {
    store(name, &compose(title, text))
}

/// A section with its title, command, date and machine.
fn compose(title: &str, text: &str) -> String {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let command = format!("cargo xtask bench {}", arguments.join(" "));
    format!("## {title}\n\n`{}`, {}, {}\n\n{}\n", command.trim_end(), today(), machine(), text.trim_end())
}

fn store(name: &str, text: &str) -> Result<()> {
    let place = root().join("bench/RESULTS.md");
    let before = std::fs::read_to_string(&place).unwrap_or_default();
    Ok(std::fs::write(place, sections::replace(&before, name, text))?)
}

fn today() -> String {
    said("date", &["-u", "+%Y-%m-%d"]).unwrap_or_else(|| "today".to_owned())
}

fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ").map(|(_, name)| name));
    let cores = info.lines().filter(|line| line.starts_with("processor")).count();
    let kernel = said("uname", &["-sr"]).unwrap_or_default();
    format!("{cores} cores of {}, {kernel}", model.unwrap_or("an unknown processor"))
}

fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
