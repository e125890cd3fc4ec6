//! A table on the screen and in `bench/RESULTS.md`, with the command and the machine.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::process::Command;

use anyhow::Result;

use crate::harness::root;

/// Rows of a name and a value.
pub(crate) struct Report {
    title: String,
    rows: Vec<(String, String)>,
}

impl Report {
    pub(crate) fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), rows: Vec::new() }
    }

    pub(crate) fn row(&mut self, name: impl Into<String>, value: impl ToString) {
        self.rows.push((name.into(), value.to_string()));
    }

    /// Prints and appends.
    pub(crate) fn finish(self) -> Result<()> {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        let mut text = format!("\n## {}\n\n", self.title);
        text += &format!("`cargo xtask bench {}`, {}, {}\n\n", arguments.join(" "), today(), machine());
        text += "| | |\n|---|---|\n";
        for (name, value) in &self.rows {
            text += &format!("| {name} | {value} |\n");
        }
        print!("{text}");
        let mut file = OpenOptions::new().create(true).append(true).open(root().join("bench/RESULTS.md"))?;
        file.write_all(text.as_bytes())?;
        Ok(())
    }
}

fn today() -> String {
    let date = Command::new("date").args(["-u", "+%Y-%m-%d"]).output();
    date.map_or_else(
        |_| "today".to_owned(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}

fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ").map(|(_, name)| name));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{cores} cores of {}", model.unwrap_or("an unknown processor"))
}
