//! Admits or refuses clients by their IP address.

#[cfg(test)]
mod model;
mod network;
mod set;

use std::net::IpAddr;

use sluice_sdk::prelude::*;
use sluice_sdk::serde_json;

use set::{AddressSet, Redundant};

/// Reading a list happens whenever an instance starts, in bounded time.
const MAX_ENTRIES: usize = 20_000;

/// Who may come and who may not.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Networks that may come; then nobody else may.
    #[serde(default)]
    #[schemars(length(min = 1, max = MAX_ENTRIES), inner(regex(pattern = NETWORK)))]
    allow: Option<Vec<String>>,
    /// Networks that may not come, even if `allow` has them.
    #[serde(default)]
    #[schemars(length(min = 1, max = MAX_ENTRIES), inner(regex(pattern = NETWORK)))]
    deny: Option<Vec<String>>,
    /// Status of a refusal. With 404 it is the answer to a path that does not exist.
    #[serde(default)]
    status: Status,
    /// Log who would be refused, and refuse nobody.
    #[serde(default)]
    dry_run: bool,
}

const NETWORK: &str = "^[0-9A-Fa-f:.]{2,45}(/[0-9]{1,3})?$";

/// Status of a refusal: 403 or 404.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(try_from = "u16")]
pub enum Status {
    /// The client may not.
    #[default]
    Forbidden,
    /// There is nothing here.
    NotFound,
}

impl TryFrom<u16> for Status {
    type Error = &'static str;

    fn try_from(status: u16) -> Result<Self, Self::Error> {
        match status {
            403 => Ok(Self::Forbidden),
            404 => Ok(Self::NotFound),
            _ => Err("the status of a refusal is 403 or 404"),
        }
    }
}

impl JsonSchema for Status {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Status".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "enum": [403, 404] })
    }
}

/// The policy.
pub struct IpFilter {
    allow: Option<AddressSet>,
    deny: Option<AddressSet>,
    status: Status,
    dry_run: bool,
    /// What is odd about the lists, said once at load.
    remarks: Vec<String>,
}

#[plugin(capabilities(log))]
impl Plugin for IpFilter {
    type Config = Config;

    fn new(config: Config) -> Result<Self> {
        ensure!(
            config.allow.is_some() || config.deny.is_some(),
            "there is nothing to do: give `allow` or `deny`"
        );
        let mut remarks = Vec::new();
        let allow = read("allow", config.allow.as_deref(), &mut remarks)?;
        let deny = read("deny", config.deny.as_deref(), &mut remarks)?;
        if let (Some(allow), Some(deny)) = (&allow, &deny)
            && deny.covers(allow)
        {
            remarks.push("`deny` has all that `allow` has: nobody is admitted".to_owned());
        }
        Ok(Self { allow, deny, status: config.status, dry_run: config.dry_run, remarks })
    }

    fn self_test(&self) -> Result<()> {
        for remark in &self.remarks {
            warn!("{remark}");
        }
        Ok(())
    }

    fn on_request(&self, _: &mut Request, ctx: &mut Context) -> Result<Verdict> {
        let text = ctx.client_address();
        let address: IpAddr =
            text.parse().context(format_args!("reading the client's address `{}`", text.escape_debug()))?;
        let Some(reason) = self.objection(address) else { return Ok(Verdict::Continue) };
        if self.dry_run {
            warn!("{address} would be refused: {reason}");
            return Ok(Verdict::Continue);
        }
        Ok(match self.status {
            Status::Forbidden => Verdict::respond(
                Problem::forbidden("requests from this address are not served").kind("address-denied"),
            ),
            Status::NotFound => Verdict::respond(not_found(ctx)),
        })
    }
}

impl IpFilter {
    /// Why the address is not admitted. `deny` is asked first, so no order of entries can open what it closes.
    fn objection(&self, address: IpAddr) -> Option<&'static str> {
        if self.deny.as_ref().is_some_and(|deny| deny.contains(address)) {
            return Some("it is in `deny`");
        }
        if self.allow.as_ref().is_some_and(|allow| !allow.contains(address)) {
            return Some("it is not in `allow`");
        }
        None
    }
}

fn read(list: &str, entries: Option<&[String]>, remarks: &mut Vec<String>) -> Result<Option<AddressSet>> {
    let Some(entries) = entries else { return Ok(None) };
    ensure!(!entries.is_empty(), "`{list}` is empty: leave it out, or say who is meant");
    ensure!(entries.len() <= MAX_ENTRIES, "`{list}` has more than {MAX_ENTRIES} entries");
    let (set, Redundant { count, example }) = AddressSet::parse(entries).context(format_args!("`{list}`"))?;
    if let Some((inner, outer)) = example {
        let (inner, outer) = (&entries[inner], &entries[outer]);
        remarks.push(format!(
            "`{list}`: {count} of its entries change nothing, such as `{inner}`, which lies in `{outer}`"
        ));
    }
    Ok(Some(set))
}

/// What the gateway answers where there is no route. Not a problem of this plugin's own: that would name the step.
fn not_found(ctx: &Context) -> Reply {
    let document = serde_json::json!({
        "type": "urn:sluice:problem:no-route",
        "title": "Not Found",
        "status": 404,
        "detail": "no route matches this request",
        "request_id": ctx.request_id(),
    });
    Reply::new(404)
        .header("content-type", "application/problem+json")
        .header("cache-control", "no-store")
        .body(document.to_string())
}
