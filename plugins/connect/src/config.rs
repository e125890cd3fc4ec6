//! What the operator configures.

use sluice_sdk::prelude::*;

/// Which requests are calls, and what they may be.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// What the services speak: of `grpc`, Connect clients are translated; of `connect`, gRPC clients, which wants descriptors.
    #[serde(default)]
    pub(crate) upstream: Upstream,
    /// The services' descriptor set (`protoc --include_imports --descriptor_set_out`, `buf build`), as `"${asset:services.binpb}"`. JSON wants
    /// it; Protobuf passes without.
    #[serde(default)]
    pub(crate) descriptors: Option<Asset>,
    /// Methods that may be called with GET, beside those that the descriptors mark as `NO_SIDE_EFFECTS`: `"shop.v1.Books/Get"`, or
    /// `"shop.v1.Books/*"` for all of a service. Any page on the web can have a browser send a GET.
    #[serde(default)]
    #[schemars(length(max = MAX_GET))]
    pub(crate) get: Vec<String>,
    /// The longest message, as it is when it is not compressed. Messages in JSON, compressed ones and those of calls without streams are
    /// bounded by the plugin's `limits.body` as well.
    #[serde(default = "default_max_message")]
    max_message: Size,
    /// Whether a request without `Connect-Protocol-Version` (or `connect=v1` in a GET) is refused. Generated clients send it, people with
    /// `curl` rarely do.
    #[serde(default)]
    pub(crate) require_protocol_version: bool,
    /// What becomes of fields in JSON that the message does not have. Connect's own servers ignore them.
    #[serde(default)]
    pub(crate) unknown_fields: UnknownFields,
}

/// What services speak.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Upstream {
    /// gRPC.
    #[default]
    Grpc,
    /// Connect.
    Connect,
}

/// What becomes of fields that the message does not have.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum UnknownFields {
    /// They are passed over.
    #[default]
    Ignore,
    /// The request is refused.
    Refuse,
}

/// Each is compared with a GET's path.
pub(crate) const MAX_GET: usize = 256;

impl Config {
    pub(crate) fn max_message(&self) -> Result<usize> {
        let bytes = self.max_message.bytes();
        ensure!((1..=u64::from(u32::MAX)).contains(&bytes), "`max_message` is \"1B\" to 4294967295 bytes");
        usize::try_from(bytes).context("`max_message`")
    }

    /// Refuses what the schema cannot say, and what it does say in case nobody asked it.
    pub(crate) fn check(&self) -> Result<()> {
        let is_known = self.upstream == Upstream::Grpc || self.descriptors.is_some();
        ensure!(
            is_known,
            "`upstream = \"connect\"` wants `descriptors`: they say which methods have streams"
        );
        ensure!(self.get.len() <= MAX_GET, "`get` has more than {MAX_GET} entries");
        for entry in &self.get {
            let names = entry.split_once('/');
            let is_method = names.is_some_and(|(service, method)| {
                !service.is_empty() && !method.is_empty() && !method.contains('/') && !service.contains('*')
            });
            ensure!(
                is_method,
                "`get` has `{entry}`: write \"package.Service/Method\" or \"package.Service/*\""
            );
        }
        Ok(())
    }
}

fn default_max_message() -> Size {
    Size::from_bytes(4 << 20)
}
