//! The older forms: Kong's `hmac` and draft-cavage-http-signatures-12.

mod params;
#[cfg(test)]
mod tests;

use sluice_sdk::prelude::*;

use crate::algorithm::Algorithm;
use crate::component::is_field_name;
use crate::config::Policy;
use crate::digest::{self, Covered};
use crate::message::Message;
use crate::proof::{self, Proof};
use crate::refusal::{Refusal, Stop};
use crate::time;
use params::Params;

/// An older form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Compat {
    /// `Authorization: hmac username="..", algorithm="..", headers="..", signature=".."`, as Kong's `hmac-auth` has it.
    KongHmac,
    /// `Signature: keyId="..", ..` or `Authorization: Signature keyId="..", ..`, as draft-cavage-http-signatures-12 has it.
    Cavage,
}

/// The request's target under the names that the forms have for it.
const TARGETS: [&str; 3] = ["(request-target)", "@request-target", "request-line"];
/// What the forms write behind `HTTP/`: the request line's version does not reach the gateway's policies. Kong has a digit behind
/// the point of every version.
const VERSIONS: [&str; 4] = ["1.1", "2.0", "2", "1.0"];

/// Whether `compat_required` may name it.
pub(crate) fn is_coverable(name: &str) -> bool {
    is_field_name(name) || TARGETS.contains(&name) || matches!(name, "(created)" | "(expires)")
}

/// A signature of an older form, as it was sent.
pub(crate) struct Old {
    form: Compat,
    credentials: String,
}

/// The signatures of older forms that a request has.
pub(crate) fn find(request: &Request, message: &Message, forms: &[Compat]) -> Result<Vec<Old>, Refusal> {
    let mut found = Vec::new();
    for form in forms {
        let scheme = if *form == Compat::KongHmac { "hmac" } else { "Signature" };
        let shown = auth::authorization(request, scheme);
        let shown = shown.map_err(|why| Refusal::Malformed(why.to_owned()))?;
        found.extend(shown.map(|credentials| Old { form: *form, credentials }));
        if *form == Compat::Cavage && message.has("signature") && !message.has("signature-input") {
            let credentials = message.combined("signature").map_err(Refusal::Malformed)?;
            found.push(Old { form: *form, credentials });
        }
    }
    Ok(found)
}

impl Old {
    /// What is to be verified, if it states and covers what it has to.
    pub(crate) fn proof(self, message: &Message, policy: &Policy, now: i64) -> Result<Proof, Stop> {
        let keyid = if self.form == Compat::KongHmac { "username" } else { "keyId" };
        let params = Params::read(&self.credentials, keyid).map_err(Refusal::Malformed)?;
        let names = self.names(&params)?;
        let covered: Vec<String> = names.iter().map(|name| name.to_ascii_lowercase()).collect();
        let missing = missing(&covered, policy);
        if !missing.is_empty() {
            return Err(Refusal::Incomplete(missing).into());
        }
        check_times(&covered, &params, message, policy, now)?;
        let algorithms = self.algorithms(params.algorithm.as_deref());
        let algorithms = algorithms.into_iter().filter(|known| policy.algorithms.contains(known)).collect();
        let mut lines = lines(&names, &params, message).map_err(Refusal::Invalid)?;
        let mut bases = vec![lines.join("\n")];
        if let Some(at) = covered.iter().position(|name| name == "request-line") {
            for version in &VERSIONS[1..] {
                lines[at] = request_line(message, version);
                bases.push(lines.join("\n"));
            }
        }
        let digests = [digest::CONTENT, digest::REPRESENTATION, digest::OLD];
        let digests = digests.into_iter().filter(|name| covered.iter().any(|known| known == name));
        let digests = digests.map(|field| Covered { field, is_understood: true }).collect();
        let lifetime = time::lifetime(time::seconds(policy.clock_skew) * 2);
        let Params { keyid, signature, .. } = params;
        let key = proof::key(&keyid)?;
        Ok(Proof { keyid, key, algorithms, bases, signature, nonce: None, lifetime, digests, is_old: true })
    }

    /// What it covers, under the names that were sent.
    fn names(&self, params: &Params) -> Result<Vec<String>, Refusal> {
        let malformed = |why: &str| Refusal::Malformed(why.to_owned());
        let names = match (self.form, &params.headers) {
            (_, Some(names)) => names.clone(),
            // Section 2.1.6 of the draft.
            (Compat::Cavage, None) => vec!["(created)".to_owned()],
            (Compat::KongHmac, None) => return Err(malformed("`headers` is missing")),
        };
        for name in &names {
            // Kong finds fields by names in any case. The draft wants them in lower case.
            let lower = name.to_ascii_lowercase();
            let fits = match (self.form, lower.as_str()) {
                (Compat::KongHmac, "@request-target" | "request-line") => true,
                (Compat::KongHmac, field) => is_field_name(field),
                (Compat::Cavage, "(request-target)") => lower == *name,
                (Compat::Cavage, "(created)" | "(expires)") => lower == *name && self.may_state_times(params),
                (Compat::Cavage, _) => is_field_name(name),
            };
            if !fits {
                return Err(malformed("`headers` has a name in it that cannot be covered"));
            }
        }
        Ok(names)
    }

    /// Section 2.3: those that name their algorithm are older than these.
    fn may_state_times(&self, params: &Params) -> bool {
        let algorithm = params.algorithm.as_deref().unwrap_or("hs2019");
        self.form == Compat::Cavage && !["rsa", "hmac", "ecdsa"].iter().any(|old| algorithm.starts_with(old))
    }

    /// What an algorithm's name may stand for. SHA-1 stands for nothing.
    fn algorithms(&self, name: Option<&str>) -> Vec<Algorithm> {
        match (self.form, name) {
            (_, Some("hmac-sha256")) => vec![Algorithm::HmacSha256],
            (Compat::KongHmac, Some("hmac-sha384")) => vec![Algorithm::HmacSha384],
            (_, Some("hmac-sha512")) => vec![Algorithm::HmacSha512],
            (Compat::Cavage, Some("rsa-sha256")) => vec![Algorithm::RsaV15Sha256],
            // The key decides. What is allowed for it is the configuration's.
            (Compat::Cavage, None | Some("hs2019")) => vec![
                Algorithm::HmacSha512,
                Algorithm::Ed25519,
                Algorithm::RsaPssSha512,
                Algorithm::RsaV15Sha256,
            ],
            _ => Vec::new(),
        }
    }
}

/// What has to be covered and is not.
fn missing(covered: &[String], policy: &Policy) -> Vec<String> {
    let has = |wanted: &str| covered.iter().any(|name| name == wanted);
    let has_any = |wanted: &[&str]| wanted.iter().any(|name| has(name));
    let is_missing = |name: &&String| {
        let is_target = TARGETS.contains(&name.as_str());
        if is_target { !has_any(&TARGETS) } else { !has(name) }
    };
    let mut missing: Vec<String> = policy.compat_required.iter().filter(is_missing).cloned().collect();
    if !has_any(&["date", "x-date", "(created)"]) {
        missing.push("date".to_owned());
    }
    missing
}

/// Every time that is covered has to be near now; what is stated without being covered may only be an end.
fn check_times(
    covered: &[String],
    params: &Params,
    message: &Message,
    policy: &Policy,
    now: i64,
) -> Result<(), Refusal> {
    let skew = time::seconds(policy.clock_skew);
    for name in covered {
        let made = match name.as_str() {
            "date" | "x-date" => {
                let value = message.combined(name).map_err(Refusal::Invalid)?;
                let parsed = httpdate::parse_http_date(&value).ok();
                let since = parsed.and_then(|date| date.duration_since(std::time::UNIX_EPOCH).ok());
                let seconds = since.and_then(|since| i64::try_from(since.as_secs()).ok());
                seconds.ok_or_else(|| Refusal::Malformed(format!("`{name}` is not a date")))?
            }
            "(created)" => {
                params.created.ok_or_else(|| Refusal::Malformed("`created` is missing".to_owned()))?
            }
            _ => continue,
        };
        // The skew is all there is, in both directions.
        time::check_age(made, now, 0, skew)?;
    }
    params.expires.map_or(Ok(()), |expires| time::check_end(expires, now, 0))
}

/// The signing string: a line for each name, which stands in it as it was sent.
fn lines(names: &[String], params: &Params, message: &Message) -> Result<Vec<String>, String> {
    let stated = |time: Option<i64>, name: &str| time.ok_or_else(|| format!("`{name}` is not stated"));
    let mut lines = Vec::with_capacity(names.len());
    let mut length = 0;
    for name in names {
        let lower = name.to_ascii_lowercase();
        let value = match lower.as_str() {
            "request-line" => None,
            "(request-target)" | "@request-target" => {
                Some(format!("{} {}", message.method.to_ascii_lowercase(), message.target()))
            }
            "(created)" => Some(stated(params.created, "created")?.to_string()),
            "(expires)" => Some(stated(params.expires, "expires")?.to_string()),
            "host" => Some(host(message)?),
            field => Some(message.combined(field)?),
        };
        // A field that is empty has its space too (section 2.3 of the draft).
        let line =
            value.map_or_else(|| request_line(message, VERSIONS[0]), |value| format!("{name}: {value}"));
        length += line.len() + 1;
        if length > crate::base::MAX_BASE {
            return Err(format!("what is signed is longer than {} bytes", crate::base::MAX_BASE));
        }
        lines.push(line);
    }
    Ok(lines)
}

fn request_line(message: &Message, version: &str) -> String {
    format!("{} {} HTTP/{version}", message.method, message.target())
}

/// The host as it was written, which has to be the one that was asked.
fn host(message: &Message) -> Result<String, String> {
    if !message.has("host") {
        return Ok(message.authority.clone());
    }
    let host = message.combined("host")?;
    if host.eq_ignore_ascii_case(&message.authority) {
        Ok(host)
    } else {
        Err("the field `host` is not the request's authority".to_owned())
    }
}
