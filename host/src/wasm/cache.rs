//! Compiled code on disk, keyed by the plugin's digest and everything about the engine that shapes code.
//!
//! Loading compiled code means trusting it, so it is taken only from a directory and files that belong to
//! this user and that nobody else can write, and only if it carries its own digest unbroken.
#![allow(unsafe_code, reason = "loading precompiled code is the one thing here that cannot be checked")]

use std::fs::File;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use wasmtime::{Engine, Module};

use super::seal::sha256_hex;

const DIGEST: usize = 32;

/// A directory of compiled code.
pub(super) struct Cache {
    directory: PathBuf,
}

impl Cache {
    /// Opens or creates the directory; none if it cannot be trusted, which costs time and nothing else.
    pub(super) fn open(directory: PathBuf) -> Option<Self> {
        let created = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&directory);
        let trusted = created
            .and_then(|()| std::fs::metadata(&directory))
            .map(|metadata| metadata.is_dir() && is_ours(&metadata));
        match trusted {
            Ok(true) => Some(Self { directory }),
            Ok(false) => {
                tracing::warn!(directory = %directory.display(), "not caching compiled code: others own or can write the directory");
                None
            }
            Err(error) => {
                tracing::warn!(directory = %directory.display(), %error, "not caching compiled code");
                None
            }
        }
    }

    fn path(&self, engine: &Engine, digest: &[u8; DIGEST]) -> PathBuf {
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        self.directory.join(format!("{}-{:016x}.cwasm", sha256_hex(digest), hasher.finish()))
    }

    /// The code of a plugin, if it was kept and is intact.
    pub(super) fn get(&self, engine: &Engine, digest: &[u8; DIGEST]) -> Option<Module> {
        let path = self.path(engine, digest);
        let code = open_trusted(&path)?;
        // SAFETY: the bytes were written by `put` of this user (owner and mode were checked on the open
        // file, the directory admits no other writer) and are whole (their digest was checked), so they
        // are what `Module::serialize` returned; wasmtime itself refuses those of another version. The file
        // stays as it is for as long as it is mapped: nobody else can write it, and `put` never writes to a
        // file but puts a new one in its place.
        match unsafe { Module::deserialize_open_file(engine, code) } {
            Ok(module) => Some(module),
            Err(error) => {
                tracing::debug!(path = %path.display(), %error, "compiled again");
                None
            }
        }
    }

    /// Keeps the code of a plugin. Failing to is no failure of the plugin.
    pub(super) fn put(&self, engine: &Engine, digest: &[u8; DIGEST], module: &Module) {
        let written =
            module.serialize().map_err(|error| std::io::Error::other(error.to_string())).and_then(|code| {
                let mut file = tempfile::NamedTempFile::new_in(&self.directory)?;
                file.as_file().set_permissions(std::fs::Permissions::from_mode(0o600))?;
                file.write_all(&code)?;
                file.write_all(&Sha256::digest(&code))?;
                file.persist(self.path(engine, digest)).map_err(|error| error.error)
            });
        if let Err(error) = written {
            tracing::warn!(%error, "cannot keep compiled code");
        }
    }
}

fn is_ours(metadata: &std::fs::Metadata) -> bool {
    metadata.uid() == rustix::process::geteuid().as_raw() && metadata.mode() & 0o022 == 0
}

/// The file of compiled code, with its digest behind it, if it is ours and whole. It is mapped and not read into memory, so
/// that only what runs takes room there.
fn open_trusted(path: &Path) -> Option<File> {
    // No link is followed: what is opened is what lies in our directory.
    let mut file = std::fs::OpenOptions::new()
        .read(true)
        .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
        .open(path)
        .ok()?;
    let metadata = file.metadata().ok()?;
    if !metadata.is_file() || !is_ours(&metadata) {
        return None;
    }
    let code = metadata.len().checked_sub(DIGEST as u64)?;
    let mut hasher = Sha256::new();
    std::io::copy(&mut (&mut file).take(code), &mut Hashed(&mut hasher)).ok()?;
    let mut digest = [0; DIGEST];
    file.read_exact(&mut digest).ok()?;
    (hasher.finalize().as_slice() == digest).then_some(file)
}

/// Hashes what is written to it.
struct Hashed<'a>(&'a mut Sha256);

impl std::io::Write for Hashed<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(engine: &Engine) -> Module {
        Module::from_binary(engine, b"\0asm\x01\0\0\0").unwrap()
    }

    #[test]
    fn code_comes_back_and_damaged_code_does_not() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::open(directory.path().join("code")).unwrap();
        let engine = Engine::default();
        let digest = [7; DIGEST];
        assert!(cache.get(&engine, &digest).is_none());
        cache.put(&engine, &digest, &module(&engine));
        assert!(cache.get(&engine, &digest).is_some());

        let path = cache.path(&engine, &digest);
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let mut bytes = std::fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&path, bytes).unwrap();
        assert!(cache.get(&engine, &digest).is_none());
    }

    #[test]
    fn what_others_can_write_is_not_trusted() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("open");
        std::fs::create_dir(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o777)).unwrap();
        assert!(Cache::open(path).is_none());
    }
}
