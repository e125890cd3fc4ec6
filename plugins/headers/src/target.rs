//! The rules for what a request asks for: method, path and query.

use sluice_sdk::Code;
use sluice_sdk::path::{MAX_TARGET, has_dot_segments};
use sluice_sdk::prelude::*;
use sluice_sdk_template::{Source, Template};

use crate::query::{QueryConfig, QueryRules};
use crate::write;

/// What a configuration says of the request's target.
pub(crate) struct TargetConfig {
    pub(crate) method: Option<Method>,
    pub(crate) path: Option<String>,
    pub(crate) strip_prefix: Option<String>,
    pub(crate) add_prefix: Option<String>,
    pub(crate) query: QueryConfig,
}

/// Checked rules.
pub(crate) struct TargetRules {
    method: Option<Method>,
    path: Option<Template>,
    /// Without a slash at its end.
    strip_prefix: Option<String>,
    add_prefix: Option<String>,
    query: QueryRules,
}

/// What is to be written.
pub(crate) struct Target {
    path: Option<String>,
    query: Vec<String>,
}

impl TargetRules {
    pub(crate) fn new(config: TargetConfig, place: &str) -> Result<Self> {
        let TargetConfig { method, path, strip_prefix, add_prefix, query } = config;
        if let Some(method) = &method {
            let may = !matches!(method, Method::Connect | Method::Trace);
            ensure!(may, "{place}.method: `{method}` cannot be sent to an upstream");
        }
        ensure!(
            path.is_none() || (strip_prefix.is_none() && add_prefix.is_none()),
            "{place}: `path` replaces the whole path: `strip_prefix` and `add_prefix` have no meaning with it"
        );
        let prefix = |prefix: Option<String>, name: &str| match prefix {
            Some(prefix) => checked_prefix(&prefix).context(format_args!("{place}.{name}")).map(Some),
            None => Ok(None),
        };
        Ok(Self {
            method,
            path: path.map(|path| checked_path(&path)).transpose().context(format_args!("{place}.path"))?,
            strip_prefix: prefix(strip_prefix, "strip_prefix")?,
            add_prefix: prefix(add_prefix, "add_prefix")?,
            query: QueryRules::new(query, &format!("{place}.query"))?,
        })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.method.is_none() && !self.writes_path() && self.query.is_empty()
    }

    fn writes_path(&self) -> bool {
        self.path.is_some() || self.strip_prefix.is_some() || self.add_prefix.is_some()
    }

    /// The values, or the refusal of a request that has none.
    pub(crate) fn render(
        &self,
        request: &Request,
        ctx: &Context,
        source: &dyn Source,
    ) -> Result<Result<Target, Problem>> {
        let query = self.query.render(ctx, source);
        let Some(template) = &self.path else {
            let path = self.writes_path().then(|| self.moved(&request.path()));
            return Ok(Ok(Target { path, query }));
        };
        let Some(path) = template.render_whole(ctx, source, &write::path) else {
            return Ok(Err(refusal("a part of it is missing in the request")));
        };
        if has_dot_segments(&path) {
            return Ok(Err(refusal("it would have a segment `.` or `..`")));
        }
        Ok(Ok(Target { path: Some(path), query }))
    }

    /// Writes the values, or refuses a request for which they are too long.
    pub(crate) fn apply(&self, request: &mut Request, target: Target) -> Result<Result<(), Problem>> {
        if let Some(method) = &self.method {
            request.set_method(method)?;
        }
        if let Some(path) = target.path
            && let Err(error) = request.set_path(&path)
        {
            return too_long(error, refusal);
        }
        if !self.query.is_empty() {
            let before = request.query().unwrap_or_default();
            if let Some(query) = self.query.apply(&before, &target.query)
                && let Err(error) = request.set_query(&query)
            {
                return too_long(error, query_refusal);
            }
        }
        Ok(Ok(()))
    }

    /// The path with its prefix exchanged.
    fn moved(&self, path: &str) -> String {
        let rest = self.strip_prefix.as_deref().and_then(|prefix| path.strip_prefix(prefix));
        // `/api` is no prefix of `/apiary`; and two slashes at the beginning could be taken for an authority.
        let rest = rest.filter(|rest| rest.is_empty() || rest.starts_with('/'));
        let rest = rest.map_or_else(|| path.to_owned(), |rest| format!("/{}", rest.trim_start_matches('/')));
        match &self.add_prefix {
            Some(prefix) if rest == "/" && !path.ends_with('/') => prefix.clone(),
            Some(prefix) => format!("{prefix}{rest}"),
            None => rest,
        }
    }
}

fn refusal(reason: &str) -> Problem {
    Problem::bad_request(format!("the path cannot be rewritten: {reason}")).kind("path-not-rewritable")
}

fn query_refusal(reason: &str) -> Problem {
    Problem::bad_request(format!("the query cannot be rewritten: {reason}")).kind("query-not-rewritable")
}

/// What is written has no characters that the host refuses: it can only be too long.
fn too_long(error: Error, refusal: fn(&str) -> Problem) -> Result<Result<(), Problem>> {
    match error.code() {
        Some(Code::TooLarge) => Ok(Err(refusal("more would be written than this step's `limits.headers`"))),
        Some(Code::Invalid) => {
            Ok(Err(refusal(&format!("path and query would have more than {MAX_TARGET} bytes together"))))
        }
        _ => Err(error),
    }
}

fn checked_path(text: &str) -> Result<Template> {
    let template = Template::parse(text)?;
    // What surrounds the variables has to be a path; `{path}` brings its own slash.
    let sample = template.sample();
    let sample = if text.starts_with("{path}") { format!("/{sample}") } else { sample };
    check_literal(&sample)?;
    Ok(template)
}

fn checked_prefix(text: &str) -> Result<String> {
    check_literal(text)?;
    let prefix = text.trim_end_matches('/');
    ensure!(!prefix.is_empty(), "`{text}` is no prefix");
    Ok(prefix.to_owned())
}

fn check_literal(path: &str) -> Result<()> {
    ensure!(path.starts_with('/'), "a path begins with `/`");
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@%/".contains(&byte);
    ensure!(path.bytes().all(is_allowed), "`{path}` is not a path: percent-encode what is no path character");
    ensure!(!has_dot_segments(path), "`{path}` has a segment `.` or `..`");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moved(strip: Option<&str>, add: Option<&str>, path: &str) -> String {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let (strip_prefix, add_prefix) = (owned(strip), owned(add));
        let query = QueryConfig::default();
        let config = TargetConfig { method: None, path: None, strip_prefix, add_prefix, query };
        TargetRules::new(config, "request").unwrap().moved(path)
    }

    #[test]
    fn prefixes_end_where_segments_end() {
        for (strip, add, path, expected) in [
            (Some("/api"), None, "/api/v1/x", "/v1/x"),
            (Some("/api/"), None, "/api/v1/x", "/v1/x"),
            (Some("/api"), None, "/api", "/"),
            (Some("/api"), None, "/api/", "/"),
            (Some("/api"), None, "/apiary", "/apiary"),
            (Some("/api"), None, "/api//evil.example/x", "/evil.example/x"),
            (Some("/api"), Some("/v2/"), "/api/x%2Fy", "/v2/x%2Fy"),
            (Some("/api"), Some("/v2"), "/api", "/v2"),
            (Some("/api"), Some("/v2"), "/api/", "/v2/"),
            (None, Some("/v2"), "/x", "/v2/x"),
            (None, Some("/v2"), "/", "/v2/"),
        ] {
            assert_eq!(moved(strip, add, path), expected, "{strip:?} {add:?} {path}");
        }
    }
}
