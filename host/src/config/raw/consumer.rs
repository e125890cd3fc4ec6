//! What was written: consumers and their credentials.

use schemars::JsonSchema;
use serde::Deserialize;

use super::List;
use crate::config::field::Field;

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "Consumer")]
#[schemars(extend("x-expected" = "a table such as { keys = [{ hash = \"hmac-sha256:...\" }] }"))]
pub(in crate::config) struct RawConsumer {
    /// By what upstreams know the consumer (`X-Consumer-Id`). Default: its name.
    #[serde(default)]
    pub(in crate::config) id: Field<String>,
    /// The consumer's name in another system.
    #[serde(default)]
    pub(in crate::config) custom_id: Field<String>,
    /// Groups it belongs to.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["group", "roles"]))]
    pub(in crate::config) groups: List<String>,
    /// Its API keys, hashed.
    #[serde(default)]
    #[schemars(extend("x-expected" = "an array such as [{ hash = \"hmac-sha256:...\" }]", "x-aliases" = ["key", "credentials"]))]
    pub(in crate::config) keys: List<RawKey>,
    /// Its user names and passwords, hashed together.
    #[serde(default)]
    #[schemars(extend("x-expected" = "an array such as [{ user = \"acme\", hash = \"hmac-sha256:...\" }]", "x-aliases" = ["password", "basic", "basic_auth"]))]
    pub(in crate::config) passwords: List<RawPassword>,
    /// Whose tokens are its.
    #[serde(default)]
    #[schemars(extend("x-expected" = "an array such as [{ issuer = \"https://login.example\", subject = \"4711\" }]", "x-aliases" = ["token", "jwt"]))]
    pub(in crate::config) tokens: List<RawToken>,
    /// Its certificates: names in them (a SAN, or the whole subject as `CN=...`), or `sha256:` and the fingerprint.
    #[serde(default)]
    #[schemars(extend("x-expected" = "an array such as [\"spiffe://example.org/billing\"]", "x-aliases" = ["certificate", "mtls"]))]
    pub(in crate::config) certificates: List<String>,
    /// The keys with which it signs requests.
    #[serde(default)]
    #[schemars(extend("x-expected" = "an array such as [{ id = \"acme-1\", public_key = \"${file:acme.pem}\" }]", "x-aliases" = ["signature", "hmac"]))]
    pub(in crate::config) signatures: List<RawSignatureKey>,
    /// What it pays, and how much it may use. Default: no plan.
    #[serde(default)]
    #[schemars(extend("x-expected" = "the name of a plan", "x-aliases" = ["plans", "subscription"]))]
    pub(in crate::config) plan: Field<String>,
    /// When its subscription of the plan began. Default: when the ledger first saw it on the plan.
    #[serde(default)]
    #[schemars(extend("x-expected" = "a date and time such as 2027-01-01T00:00:00Z", "x-aliases" = ["since"]))]
    pub(in crate::config) plan_since: Field<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "Key")]
#[schemars(extend("x-expected" = "a table such as { hash = \"hmac-sha256:...\" }"))]
pub(in crate::config) struct RawKey {
    /// `hmac-sha256:HEX`, made under the pepper, as `sluice keys new` prints it.
    #[schemars(extend("x-expected" = "a hash such as \"hmac-sha256:5e88...\", with 64 hexadecimal digits"))]
    pub(in crate::config) hash: Field<String>,
    /// What identifies it in logs and to upstreams. Default: the first eight digits of the hash.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["name"]))]
    pub(in crate::config) id: Field<String>,
    /// From then on the key is refused.
    #[serde(default)]
    #[schemars(extend("x-expected" = "a date and time such as 2027-01-01T00:00:00Z"))]
    pub(in crate::config) expires: Field<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "Password")]
#[schemars(extend("x-expected" = "a table such as { user = \"acme\", hash = \"hmac-sha256:...\" }"))]
pub(in crate::config) struct RawPassword {
    /// The user name.
    #[schemars(extend("x-aliases" = ["username", "name"]))]
    pub(in crate::config) user: Field<String>,
    /// `hmac-sha256:HEX` under the pepper, of `user:password`.
    #[schemars(extend("x-expected" = "a hash such as \"hmac-sha256:5e88...\", with 64 hexadecimal digits"))]
    pub(in crate::config) hash: Field<String>,
    /// From then on the password is refused.
    #[serde(default)]
    #[schemars(extend("x-expected" = "a date and time such as 2027-01-01T00:00:00Z"))]
    pub(in crate::config) expires: Field<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "Token")]
#[schemars(extend("x-expected" = "a table such as { issuer = \"https://login.example\", subject = \"4711\" }"))]
pub(in crate::config) struct RawToken {
    /// Who issues them. Default: any issuer that the step which verifies them admits.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["iss"]))]
    pub(in crate::config) issuer: Field<String>,
    /// What their claim says that names the consumer, `sub` unless the step is told another.
    #[schemars(extend("x-aliases" = ["sub", "client_id"]))]
    pub(in crate::config) subject: Field<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "SignatureKey")]
#[schemars(extend("x-expected" = "a table such as { id = \"acme-1\", public_key = \"${file:acme.pem}\" }"))]
pub(in crate::config) struct RawSignatureKey {
    /// By what signatures name it.
    #[schemars(extend("x-aliases" = ["key_id", "keyid", "username"]))]
    pub(in crate::config) id: Field<String>,
    /// The public key, PEM or JWK.
    #[serde(default)]
    #[schemars(extend("x-expected" = "a public key in PEM or as a JWK, such as \"${file:acme.pem}\"", "x-aliases" = ["public", "key"]))]
    pub(in crate::config) public_key: Field<String>,
    /// Or a secret, for HMAC: `${env:NAME}` or `${file:PATH}`.
    #[serde(default)]
    pub(in crate::config) secret: Field<String>,
    /// From then on its signatures are refused.
    #[serde(default)]
    #[schemars(extend("x-expected" = "a date and time such as 2027-01-01T00:00:00Z"))]
    pub(in crate::config) expires: Field<String>,
}
