//! `sluice plugin harness`: one plugin in the real runtime, in a world that its test makes up.
//! The conversation is described in `sluice_abi::harness`.

mod exchange;
mod world;

use std::collections::HashMap;
use std::io::{BufRead as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Result;
use sluice_abi::harness::{Answer, Ask, Stage, Start};
use tokio::runtime::{Builder, LocalOptions, LocalRuntime};

use crate::config::ConfigValue;
use exchange::Exchange;
use world::Stage as WorldStage;

/// The directory that compiled code is kept in: the tests of one plugin start it many times.
pub(super) const CACHE: &str = "SLUICE_CACHE";

/// Answers one ask per line until the input ends.
pub(super) fn serve(file: &Path) -> Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default())?;
    let mut server = Server { file, runtime, running: None };
    let mut output = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let answer = match serde_json::from_str(&line?) {
            Ok(ask) => server.answer(ask),
            Err(error) => Answer::Error { message: format!("no such ask: {error}") },
        };
        serde_json::to_writer(&mut output, &answer)?;
        output.write_all(b"\n")?;
        output.flush()?;
    }
    Ok(())
}

struct Server<'a> {
    file: &'a Path,
    runtime: LocalRuntime,
    running: Option<Running>,
}

/// A plugin that was started, and the exchanges it has open.
struct Running {
    stage: WorldStage,
    exchanges: HashMap<u32, Exchange>,
}

fn error(message: impl Into<String>) -> Answer {
    Answer::Error { message: message.into() }
}

impl Server<'_> {
    fn answer(&mut self, ask: Ask) -> Answer {
        let Some(running) = &mut self.running else {
            return match ask {
                Ask::Start(start) => self.start(*start),
                _ => error("the first ask is to start"),
            };
        };
        match ask {
            Ask::Start(_) => error("it has started already"),
            Ask::Open(open) => match Exchange::open(&running.stage, &open) {
                Ok(exchange) => {
                    running.exchanges.insert(open.exchange, exchange);
                    Answer::Done
                }
                Err(message) => error(message),
            },
            Ask::Call(call) => match running.exchanges.get(&call.exchange) {
                Some(exchange) => match self.runtime.block_on(exchange.call(&running.stage, *call)) {
                    Ok(called) => Answer::Called(Box::new(called)),
                    Err(message) => error(message),
                },
                None => error("no such exchange is open"),
            },
            Ask::Close { exchange } => {
                running.exchanges.remove(&exchange);
                Answer::Done
            }
            Ask::Advance { ms } => {
                running.stage.advance(ms);
                Answer::Done
            }
        }
    }

    fn start(&mut self, start: Start) -> Answer {
        let refused = |stage, message: String| Answer::Refused { stage, message };
        let module = match super::plugin::load(self.file, std::env::var_os(CACHE).map(PathBuf::from)) {
            Ok((module, _)) => module,
            Err(error) => return refused(Stage::Load, format!("{error:#}")),
        };
        let problems = ConfigValue::detached(start.config.clone())
            .check(&module.descriptor.config_schema, "the configuration");
        if !problems.is_empty() {
            let lines: Vec<&str> = problems.iter().map(|problem| problem.message.as_str()).collect();
            return refused(Stage::Config, lines.join("\n"));
        }
        let mut descriptor = module.descriptor.clone();
        match self.runtime.block_on(WorldStage::set(module, start)) {
            Ok(stage) => {
                descriptor.phases = stage.pool.bound().phases().collect();
                self.running = Some(Running { stage, exchanges: HashMap::new() });
                Answer::Started(Box::new(descriptor))
            }
            Err((stage, message)) => refused(stage, message),
        }
    }
}
