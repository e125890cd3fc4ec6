//! How many units a request is, before it and after it.

use std::collections::BTreeMap;

use sluice_sdk::prelude::*;

/// Units of a request, known before it.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Cost {
    /// Every request is so many.
    Same(u64),
    /// As many as a header says.
    Header(HeaderCost),
    /// By its method.
    Method(MethodCost),
}

/// As many units as a header of the request says.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HeaderCost {
    /// The header. Its value is a whole number.
    header: HeaderName,
    /// Units of a request without it.
    #[serde(default = "one")]
    default: u64,
    /// A header that says more counts as this.
    max: u64,
}

/// Units by method.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MethodCost {
    /// Units of each method, as `{ POST = 5 }`.
    methods: BTreeMap<String, u64>,
    /// Units of all other methods.
    #[serde(default = "one")]
    default: u64,
}

/// Units that only the response tells.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settle {
    /// The response's header. Its value is a whole number.
    response_header: HeaderName,
    /// A header that says more counts as this.
    #[serde(default = "most")]
    max: u64,
    /// Whether the header is kept from the client.
    #[serde(default)]
    hide: bool,
}

fn one() -> u64 {
    1
}

fn most() -> u64 {
    1_000_000_000
}

impl Default for Cost {
    fn default() -> Self {
        Self::Same(1)
    }
}

impl Cost {
    /// What no schema says.
    pub(crate) fn check(&self) -> Result<()> {
        match self {
            Self::Header(HeaderCost { default, max, .. }) => {
                ensure!(default <= max, "`cost.default` is more than `cost.max`");
                ensure!(*max > 0, "`cost.max` is at least 1");
            }
            Self::Method(MethodCost { methods, .. }) => {
                ensure!(!methods.is_empty(), "`cost.methods` names no method");
                let lower = methods.keys().find(|name| name.bytes().any(|byte| byte.is_ascii_lowercase()));
                if let Some(name) = lower {
                    bail!("`cost.methods.{name}`: methods are written in capitals");
                }
            }
            Self::Same(_) => {}
        }
        Ok(())
    }

    /// The most that a request can be.
    pub(crate) fn most(&self) -> u64 {
        match self {
            Self::Same(cost) => *cost,
            Self::Header(HeaderCost { max, .. }) => *max,
            Self::Method(MethodCost { methods, default }) => {
                methods.values().copied().max().unwrap_or(0).max(*default)
            }
        }
    }

    pub(crate) fn of(&self, request: &Request) -> Result<u64, Problem> {
        match self {
            Self::Same(cost) => Ok(*cost),
            Self::Header(HeaderCost { header, default, max }) => match request.headers().get(header) {
                None => Ok(*default),
                Some(value) => match whole(value.as_bytes(), *max) {
                    Some(cost) => Ok(cost.max(1)),
                    None => Err(Problem::bad_request(format!("the header `{header}` is no whole number"))
                        .kind("rate-limit-cost-invalid")),
                },
            },
            Self::Method(MethodCost { methods, default }) => {
                Ok(methods.get(request.method().as_str()).copied().unwrap_or(*default))
            }
        }
    }
}

impl Settle {
    /// What the response tells; nothing if it is no whole number.
    pub(crate) fn units(&self, response: &mut Response) -> Result<Option<u64>> {
        let name = &self.response_header;
        let Some(value) = response.headers().get(name) else { return Ok(None) };
        if self.hide {
            response.headers_mut().remove(name)?;
        }
        Ok(whole(value.as_bytes(), self.max))
    }
}

/// A whole number; `max` if it is larger.
fn whole(value: &[u8], max: u64) -> Option<u64> {
    let digits = value.trim_ascii();
    let is_whole = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    is_whole.then(|| {
        let number = digits
            .iter()
            .try_fold(0_u64, |number, digit| number.checked_mul(10)?.checked_add(u64::from(digit - b'0')));
        number.map_or(max, |number| number.min(max))
    })
}

#[cfg(test)]
mod tests {
    use super::whole;

    #[test]
    fn only_whole_numbers_are_costs() {
        for (text, cost) in
            [("0", 0), (" 7 ", 7), ("007", 7), ("100", 100), ("101", 100), ("99999999999999999999999", 100)]
        {
            assert_eq!(whole(text.as_bytes(), 100), Some(cost), "{text:?}");
        }
        for text in ["", " ", "-1", "+1", "1.5", "1e3", "1 2", "0x1", "one", "١"] {
            assert_eq!(whole(text.as_bytes(), 100), None, "{text:?}");
        }
    }
}
