//! `${env:NAME}` and `${file:PATH}` in string values, and `${asset:PATH}` as one.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::assets::Assets;

/// A file that is meant to be a value is not a log.
const LARGEST: u64 = 1 << 20;

/// The largest asset: as large as a plugin's own file may be.
const LARGEST_ASSET: u64 = 64 << 20;

/// Why something could not be read, without the numbers of the operating system.
pub(super) fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "it does not exist".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::IsADirectory => "it is a directory".to_owned(),
        io::ErrorKind::NotADirectory => "it is not in a directory".to_owned(),
        _ => error.to_string(),
    }
}

/// Where `${env:NAME}` is looked up.
pub(crate) trait Environment {
    fn var(&self, name: &str) -> Option<String>;
}

/// The variables of this process.
pub(crate) struct ProcessEnvironment;

impl Environment for ProcessEnvironment {
    #[allow(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
    fn var(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }
}

/// What became of a string.
pub(super) enum Substituted {
    /// Nothing was to be put in.
    Unchanged,
    /// Something was put in, or `$${` became `${`.
    Changed {
        text: String,
        /// What came from outside, piece by piece.
        outside: Vec<Arc<str>>,
    },
    Refused(Vec<Refusal>),
}

/// Why a piece of a string could not be put in.
pub(super) struct Refusal {
    /// `${env:NAME}`
    pub(super) piece: String,
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

/// What a file's strings may refer to.
pub(super) struct Sources<'a> {
    env: &'a dyn Environment,
    /// Of the file whose strings they are.
    directory: &'a Path,
    /// Files that were read, or that were missing, with their bytes.
    pub(super) read: Vec<(PathBuf, Vec<u8>)>,
    pub(super) assets: Assets,
    /// What stands for those that were read, by their paths: one that is named twice is read once, and is the same twice.
    known: BTreeMap<String, String>,
}

impl<'a> Sources<'a> {
    pub(super) fn new(env: &'a dyn Environment, directory: &'a Path) -> Self {
        Self { env, directory, read: Vec::new(), assets: Assets::default(), known: BTreeMap::new() }
    }

    /// Puts into a string what it refers to. `takes_asset`: it is part of a plugin's configuration.
    pub(super) fn substitute(&mut self, text: &str, takes_asset: bool) -> Substituted {
        if !text.contains("${") {
            return Substituted::Unchanged;
        }
        let mut result = String::with_capacity(text.len());
        let mut refusals = Vec::new();
        let mut outside = Vec::new();
        let mut rest = text;
        while let Some(start) = rest.find("${") {
            if let Some(before) = rest[..start].strip_suffix('$') {
                result.push_str(before);
                result.push_str("${");
                rest = &rest[start + 2..];
                continue;
            }
            result.push_str(&rest[..start]);
            let Some(end) = rest[start..].find('}').map(|end| start + end + 1) else {
                refusals.push(Refusal {
                    piece: rest[start..].to_owned(),
                    message: "`${` is never closed".to_owned(),
                    hint: Some("`$${` stands for `${` itself".to_owned()),
                });
                rest = "";
                break;
            };
            let piece = &rest[start..end];
            if piece.starts_with("${asset:") {
                match self.asset(piece, text, takes_asset) {
                    Ok(value) => result.push_str(&value),
                    Err(refusal) => refusals.push(refusal),
                }
                rest = &rest[end..];
                continue;
            }
            match self.look_up(piece) {
                Ok(value) => {
                    result.push_str(&value);
                    outside.push(value.into());
                }
                Err(refusal) => refusals.push(refusal),
            }
            rest = &rest[end..];
        }
        result.push_str(rest);
        if refusals.is_empty() {
            Substituted::Changed { text: result, outside }
        } else {
            Substituted::Refused(refusals)
        }
    }

    fn look_up(&mut self, piece: &str) -> Result<String, Refusal> {
        let refuse = |message: String, hint: Option<&str>| Refusal {
            piece: piece.to_owned(),
            message,
            hint: hint.map(str::to_owned),
        };
        match piece[2..piece.len() - 1].split_once(':') {
            Some(("env", name)) if !name.is_empty() => self.env.var(name).ok_or_else(|| {
                refuse(
                    format!("the environment variable `{name}` is not set"),
                    Some("a variable whose value is not UTF-8 counts as not set"),
                )
            }),
            Some(("file", path)) if !path.is_empty() => self
                .text(path)
                .map_err(|error| refuse(format!("cannot read `{path}`: {}", reason(&error)), None)),
            _ => Err(refuse(
                format!("`{piece}` is none of `${{env:NAME}}`, `${{file:PATH}}` and `${{asset:PATH}}`"),
                Some("`$${` stands for `${` itself"),
            )),
        }
    }

    /// What stands for an asset, which is all of its string.
    fn asset(&mut self, piece: &str, text: &str, is_taken: bool) -> Result<String, Refusal> {
        let refuse = |message: String, hint: Option<&str>| Refusal {
            piece: piece.to_owned(),
            message,
            hint: hint.map(str::to_owned),
        };
        if !is_taken {
            let hint = "`${file:PATH}` puts in the text of a file";
            return Err(refuse("only the configuration of a plugin takes an asset".to_owned(), Some(hint)));
        }
        let path = &piece["${asset:".len()..piece.len() - 1];
        if path.is_empty() || piece != text {
            let message = "an asset stands alone in its string, as `\"${asset:PATH}\"`";
            return Err(refuse(message.to_owned(), None));
        }
        if let Some(value) = self.known.get(path) {
            return Ok(value.clone());
        }
        let bytes = self
            .read(path, LARGEST_ASSET)
            .map_err(|error| refuse(format!("cannot read `{path}`: {}", reason(&error)), None))?;
        let value = self.assets.add(bytes);
        self.known.insert(path.to_owned(), value.clone());
        Ok(value)
    }

    fn read(&mut self, path: &str, most: u64) -> io::Result<Vec<u8>> {
        let path = self.directory.join(path);
        // recorded first: a file that is not there yet is watched too
        self.read.push((path.clone(), Vec::new()));
        let mut bytes = Vec::new();
        let file = fs::File::open(&path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("it is not a file"));
        }
        file.take(most + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > most {
            return Err(io::Error::other(format!("it is larger than {}MiB", most >> 20)));
        }
        if let Some((_, kept)) = self.read.last_mut() {
            kept.clone_from(&bytes);
        }
        Ok(bytes)
    }

    fn text(&mut self, path: &str) -> io::Result<String> {
        let bytes = self.read(path, LARGEST)?;
        let mut text = String::from_utf8(bytes).map_err(|_| io::Error::other("it is not UTF-8"))?;
        // editors and `kubectl create secret --from-file` end files with a newline that nobody means
        if text.ends_with('\n') {
            text.pop();
            if text.ends_with('\r') {
                text.pop();
            }
        }
        Ok(text)
    }
}
