//! `Permissions-Policy`: read, checked, written. A dictionary of RFC 9651 with features as keys.

use std::collections::BTreeMap;

use sluice_sdk::prelude::*;

use crate::setting::TextOr;

/// Features to who may use them, in the order of their names: `*`, `self`, `src` or origins. Nobody, if empty.
pub type PermissionsTable = BTreeMap<String, Vec<String>>;

const LONGEST: usize = 8192;

/// The header's value.
pub(crate) fn render(policy: &TextOr<PermissionsTable>) -> Result<String> {
    let features = match policy {
        TextOr::Text(text) => parse(text)?,
        TextOr::Table(table) => table.clone().into_iter().collect(),
    };
    ensure!(!features.is_empty(), "the policy is empty: write `false` for none");
    let mut rendered = Vec::with_capacity(features.len());
    let mut seen: Vec<&str> = Vec::new();
    for (feature, allowed) in &features {
        let good = feature.starts_with(|first: char| first.is_ascii_lowercase())
            && feature.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        ensure!(good, "`{}` is no feature, such as `camera`", feature.escape_debug());
        ensure!(!seen.contains(&feature.as_str()), "`{feature}` is there twice");
        seen.push(feature);
        rendered.push(format!("{feature}={}", members(allowed).context(format_args!("`{feature}`"))?));
    }
    let text = rendered.join(", ");
    ensure!(text.len() <= LONGEST, "the policy is longer than {LONGEST} bytes");
    Ok(text)
}

fn members(allowed: &[String]) -> Result<String> {
    if let [all] = allowed
        && all == "*"
    {
        return Ok("*".to_owned());
    }
    let mut members = Vec::with_capacity(allowed.len());
    for member in allowed {
        match member.as_str() {
            "*" => bail!("`*` is everybody: it stands alone"),
            "self" | "src" => members.push(member.clone()),
            origin => {
                let good = origin.contains("://")
                    && origin.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"\\,()".contains(&byte));
                ensure!(good, "`{}` is none of `*`, `self`, `src` and an origin", origin.escape_debug());
                members.push(format!("\"{origin}\""));
            }
        }
    }
    Ok(format!("({})", members.join(" ")))
}

/// The part of RFC 9651 that the header uses: `feature=(...)`, `feature=*`, `feature=self`, without parameters.
fn parse(text: &str) -> Result<Vec<(String, Vec<String>)>> {
    let plain = |character: char| character.is_ascii_graphic() || matches!(character, ' ' | '\t');
    ensure!(text.chars().all(plain), "a character that the header cannot have");
    let mut features = Vec::new();
    for member in text.split(',').map(|member| member.trim_matches([' ', '\t'])) {
        ensure!(!member.is_empty(), "a feature is missing beside a comma");
        let (feature, value) =
            member.split_once('=').context(format_args!("`{member}`: write `feature=(...)`"))?;
        let allowed = match value.strip_prefix('(') {
            Some(list) => list
                .strip_suffix(')')
                .context(format_args!("`{feature}`: the list has no end"))?
                .split(' ')
                .filter(|member| !member.is_empty())
                .map(|member| unquote(feature, member))
                .collect::<Result<_>>()?,
            None => vec![unquote(feature, value)?],
        };
        features.push((feature.to_owned(), allowed));
    }
    Ok(features)
}

fn unquote(feature: &str, member: &str) -> Result<String> {
    if matches!(member, "*" | "self" | "src") {
        return Ok(member.to_owned());
    }
    let origin = member.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let origin = origin.filter(|origin| !matches!(*origin, "*" | "self" | "src"));
    let origin = origin.context(format_args!(
        "`{feature}`: `{member}` is none of `*`, `self`, `src` and an origin in double quotes"
    ))?;
    Ok(origin.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(policy: &str) -> Result<String> {
        render(&TextOr::Text(policy.to_owned()))
    }

    #[test]
    fn a_policy_is_written_as_it_was_meant() {
        for (policy, header) in [
            ("camera=()", "camera=()"),
            ("camera=( ),fullscreen=*", "camera=(), fullscreen=*"),
            (
                "geolocation=(self \"https://a.example\"), sync-xhr=self",
                "geolocation=(self \"https://a.example\"), sync-xhr=(self)",
            ),
        ] {
            assert_eq!(text(policy).unwrap(), header);
        }
        let table =
            [("geolocation", vec!["self", "https://*.a.example"]), ("camera", vec![]), ("usb", vec!["*"])];
        let table = table.map(|(name, who)| (name.to_owned(), who.into_iter().map(str::to_owned).collect()));
        let header = "camera=(), geolocation=(self \"https://*.a.example\"), usb=*";
        assert_eq!(render(&TextOr::Table(table.into())).unwrap(), header);
    }

    #[test]
    fn what_browsers_would_drop_is_refused() {
        for (policy, reason) in [
            ("", "a feature is missing"),
            ("camera=(\"https://ü.example\")", "a character that the header cannot have"),
            ("camera=()\r\nx: y", "a character that the header cannot have"),
            ("camera=(),", "a feature is missing"),
            // The older Feature-Policy.
            ("camera 'none'", "write `feature=(...)`"),
            ("camera=none", "`camera`: `none` is none of"),
            ("camera=('self')", "`camera`: `'self'` is none of"),
            ("camera=(\"self\")", "`camera`: `\"self\"` is none of"),
            ("camera=(https://a.example)", "in double quotes"),
            ("camera=(\"a.example\")", "and an origin"),
            ("camera=(self", "the list has no end"),
            ("camera=(self *)", "`*` is everybody"),
            ("Camera=()", "`Camera` is no feature"),
            ("camera=(), camera=*", "`camera` is there twice"),
        ] {
            let error = text(policy).unwrap_err().to_string();
            assert!(error.contains(reason), "{policy}: {error}");
        }
        assert!(render(&TextOr::Table(PermissionsTable::new())).is_err());
    }
}
