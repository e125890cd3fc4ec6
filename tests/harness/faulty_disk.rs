//! A disk that is full or loses what it is told to keep, and a clock that is set, when a test says so: a library that the gateway
//! is started with.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::Setup;

/// Built once for a run.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let source = super::root().join("tests/harness/faulty_disk.c");
        let library = super::root().join("target/faulty_disk.so");
        let beside = super::root().join(format!("target/faulty_disk.{}.so", std::process::id()));
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .args([&beside, &source])
            .arg("-ldl")
            .status()
            .expect("a C compiler\n\nhint: `apt-get install gcc libc6-dev`");
        assert!(built.success(), "{} cannot be built", source.display());
        fs::rename(&beside, &library).expect("the target directory");
        library
    })
}

/// What is wrong with the disk.
#[derive(Clone, Copy)]
pub(crate) enum Fault {
    /// Nothing can be written to it.
    Full,
    /// What is written cannot be made durable.
    Fsync,
}

/// The switch of a disk.
pub(crate) struct FaultyDisk(PathBuf);

impl FaultyDisk {
    /// The files of `setup` whose paths have `part` in them will be on it.
    pub(crate) fn under(setup: Setup, part: &str) -> (Setup, Self) {
        let switch = setup.path().join("disk-fault");
        let setup = setup
            .variable("LD_PRELOAD", &library().display().to_string())
            .variable("SLUICE_FAULTS", &switch.display().to_string())
            .variable("SLUICE_FAULTY_PATH", part);
        (setup, Self(switch))
    }

    /// From now on.
    pub(crate) fn fail(&self, fault: Fault) {
        let word = match fault {
            Fault::Full => "full",
            Fault::Fsync => "fsync",
        };
        fs::write(&self.0, word).expect("the gateway's directory");
    }

    /// It is well again.
    pub(crate) fn mend(&self) {
        fs::remove_file(&self.0).expect("it was faulty");
    }
}

/// The time of day of a gateway, which a test may set.
pub(crate) struct SetClock(PathBuf);

impl SetClock {
    /// It is right until it is set.
    pub(crate) fn of(setup: Setup) -> (Setup, Self) {
        let offset = setup.path().join("clock-offset");
        let setup = setup
            .variable("LD_PRELOAD", &library().display().to_string())
            .variable("SLUICE_CLOCK", &offset.display().to_string());
        (setup, Self(offset))
    }

    /// Off by so many seconds from now on.
    pub(crate) fn set(&self, seconds: i64) {
        let beside = self.0.with_extension("new");
        fs::write(&beside, seconds.to_string()).expect("the gateway's directory");
        fs::rename(&beside, &self.0).expect("the gateway's directory");
    }
}
