//! What the operator configures.

use std::collections::BTreeMap;

use sluice_sdk::prelude::*;
use sluice_sdk_coding::Coding;

/// What is compressed and how, and whether requests are decompressed.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The codings that are offered, the preferred one first; among those that a client wants equally, the first is used.
    #[serde(default = "default_codings")]
    #[schemars(length(min = 1, max = 3))]
    pub(crate) codings: Vec<CodingName>,
    /// How hard each coding tries.
    #[serde(default)]
    pub(crate) level: Levels,
    /// A response that says it is shorter is left alone: it would hardly shrink.
    #[serde(default = "default_min_length")]
    pub(crate) min_length: Size,
    /// A response that says it is longer is left alone. Of one that does not say, so much is compressed and the rest passes as it is, within
    /// the coding. Compressing takes up to 20 ms of CPU time per MiB at the default levels, of the 50 ms that each MiB earns by default.
    #[serde(default = "default_max_length")]
    pub(crate) max_length: Size,
    /// The media types that are compressed: `type/subtype`, `type/*`, or `type/*+suffix`. `text/event-stream` only if it is named in full.
    #[serde(default = "default_types")]
    #[schemars(length(min = 1, max = MAX_TYPES))]
    pub(crate) types: Vec<String>,
    /// Decompresses the bodies of requests, for upstreams that cannot. Without it they pass as they are.
    #[serde(default)]
    pub(crate) decode_requests: Option<DecodeRequests>,
}

/// A coding that can be offered.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
pub enum CodingName {
    /// Zstandard: about as small as gzip in a quarter of its time.
    Zstd,
    /// Brotli.
    Br,
    /// gzip, which everybody knows.
    Gzip,
}

/// Levels are as in the codings' own tools; those that would not fit into a plugin's usual memory are left out.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Levels {
    /// 1 to 6.
    #[serde(default = "default_zstd")]
    #[schemars(range(min = 1, max = 6))]
    zstd: u8,
    /// 0 to 6.
    #[serde(default = "default_br")]
    #[schemars(range(min = 0, max = 6))]
    br: u8,
    /// 1 to 9.
    #[serde(default = "default_gzip")]
    #[schemars(range(min = 1, max = 9))]
    gzip: u8,
}

/// How requests are decompressed.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DecodeRequests {
    /// The largest body, decompressed. What is larger is answered with 413. The plugin's `limits.body` bounds it as well.
    #[serde(default = "default_max")]
    pub(crate) max: Size,
}

/// Each type is compared with each response's.
pub(crate) const MAX_TYPES: usize = 64;

impl CodingName {
    pub(crate) const fn coding(self) -> Coding {
        match self {
            Self::Zstd => Coding::Zstd,
            Self::Br => Coding::Brotli,
            Self::Gzip => Coding::Gzip,
        }
    }
}

impl Default for Levels {
    fn default() -> Self {
        Self { zstd: default_zstd(), br: default_br(), gzip: default_gzip() }
    }
}

impl Levels {
    pub(crate) const fn of(&self, coding: CodingName) -> u8 {
        match coding {
            CodingName::Zstd => self.zstd,
            CodingName::Br => self.br,
            CodingName::Gzip => self.gzip,
        }
    }
}

impl Config {
    /// Refuses what the schema cannot say, and what it does say in case nobody asked it.
    pub(crate) fn check(&self) -> Result<()> {
        let mut counts = BTreeMap::<CodingName, usize>::new();
        self.codings.iter().for_each(|&coding| *counts.entry(coding).or_default() += 1);
        ensure!(!counts.is_empty(), "`codings` is empty: name at least one of \"zstd\", \"br\" and \"gzip\"");
        ensure!(counts.values().all(|count| *count == 1), "`codings` names a coding twice");
        for (name, coding, range) in [
            ("zstd", CodingName::Zstd, 1..=6),
            ("br", CodingName::Br, 0..=6),
            ("gzip", CodingName::Gzip, 1..=9),
        ] {
            let (least, most) = (*range.start(), *range.end());
            ensure!(range.contains(&self.level.of(coding)), "`level.{name}` is {least} to {most}");
        }
        ensure!(self.min_length <= self.max_length, "`min_length` is larger than `max_length`");
        ensure!(!self.types.is_empty(), "`types` is empty: name at least one, as \"text/*\"");
        ensure!(self.types.len() <= MAX_TYPES, "`types` has more than {MAX_TYPES} entries");
        if let Some(decode) = &self.decode_requests {
            let fits = (1..=1 << 30).contains(&decode.max.bytes());
            ensure!(fits, "`decode_requests.max` is \"1B\" to \"1GiB\"");
        }
        Ok(())
    }
}

fn default_codings() -> Vec<CodingName> {
    vec![CodingName::Zstd, CodingName::Br, CodingName::Gzip]
}

fn default_zstd() -> u8 {
    1
}

fn default_br() -> u8 {
    4
}

fn default_gzip() -> u8 {
    5
}

fn default_min_length() -> Size {
    Size::from_bytes(1 << 10)
}

fn default_max_length() -> Size {
    Size::from_bytes(1 << 20)
}

fn default_max() -> Size {
    Size::from_bytes(1 << 20)
}

fn default_types() -> Vec<String> {
    let types = [
        "text/*",
        "application/json",
        "application/*+json",
        "application/x-ndjson",
        "application/xml",
        "application/*+xml",
        "application/javascript",
        "application/wasm",
        "image/svg+xml",
    ];
    types.map(str::to_owned).to_vec()
}
