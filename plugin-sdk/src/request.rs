//! A view on the exchange's request while it is on its way to the upstream.

use sluice_abi::{HeaderMap, Number, Text};

use crate::host::{self, raw};
use crate::{Headers, HeadersMut, Method, Result};

/// The request's head. Reading copies one value out of the host; writing changes what goes to the upstream.
#[derive(Debug)]
#[non_exhaustive]
pub struct Request;

impl Request {
    /// The method.
    #[must_use]
    pub fn method(&self) -> Method {
        host::look(
            |out| raw::text_get(Text::Method, out),
            |name| Method::from(&*String::from_utf8_lossy(name)),
        )
        .unwrap_or(Method::Get)
    }

    /// Whether it came with a body, of known length or not.
    #[must_use]
    pub fn has_body(&self) -> bool {
        raw::number_get(Number::RequestBody) > 0
    }

    /// Changes the method.
    pub fn set_method(&mut self, method: &Method) -> Result<()> {
        write(Text::Method, "set the method", method.as_str())
    }

    /// The protocol in which the client asked: `HTTP/1.0`, `HTTP/1.1` or `HTTP/2`. What the upstream speaks is its configuration.
    #[must_use]
    pub fn protocol(&self) -> String {
        read(Text::Protocol)
    }

    /// The path as received, beginning with `/`, without the query.
    #[must_use]
    pub fn path(&self) -> String {
        read(Text::Path)
    }

    /// Changes the path; it begins with `/` and is percent-encoded.
    pub fn set_path(&mut self, path: &str) -> Result<()> {
        write(Text::Path, "set the path", path)
    }

    /// The query without its `?`.
    #[must_use]
    pub fn query(&self) -> Option<String> {
        host::text(|out| raw::text_get(Text::Query, out)).ok()
    }

    /// Changes the query, percent-encoded and without its `?`; an empty one is taken away.
    pub fn set_query(&mut self, query: &str) -> Result<()> {
        write(Text::Query, "set the query", query)
    }

    /// The first query parameter of this name, decoded.
    #[must_use]
    pub fn query_param(&self, name: &str) -> Option<String> {
        let query = self.query()?;
        crate::types::form::pairs(&query).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    /// Every query parameter, decoded, in order.
    #[must_use]
    pub fn query_params(&self) -> Vec<(String, String)> {
        let query = self.query().unwrap_or_default();
        let pairs = crate::types::form::pairs(&query);
        pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
    }

    /// Gives the query parameter this value alone. It comes last.
    pub fn set_query_param(&mut self, name: &str, value: &str) -> Result<()> {
        let query = self.query().unwrap_or_default();
        let mut query = crate::types::form::without(&query, name).unwrap_or(query);
        crate::types::form::push(&mut query, name, value);
        self.set_query(&query)
    }

    /// Adds a query parameter after those there are.
    pub fn append_query_param(&mut self, name: &str, value: &str) -> Result<()> {
        let mut query = self.query().unwrap_or_default();
        crate::types::form::push(&mut query, name, value);
        self.set_query(&query)
    }

    /// Takes every query parameter of this name away; whether there were any.
    pub fn remove_query_param(&mut self, name: &str) -> Result<bool> {
        let Some(query) = self.query() else { return Ok(false) };
        match crate::types::form::without(&query, name) {
            Some(rest) => self.set_query(&rest).map(|()| true),
            None => Ok(false),
        }
    }

    /// The first value of a cookie, as sent.
    #[must_use]
    pub fn cookie(&self, name: &str) -> Option<String> {
        self.cookies(name).first().map(|value| String::from_utf8_lossy(value).into_owned())
    }

    /// Every value of a cookie, as sent, in order. Who authenticates by one had better look whether there is another.
    #[must_use]
    pub fn cookies(&self, name: &str) -> Vec<Vec<u8>> {
        // HTTP/2 clients may send one `Cookie` header per cookie.
        let headers = self.headers().get_all("cookie");
        let values = headers.iter().flat_map(|header| crate::types::cookie::all(header.as_bytes(), name));
        values.map(<[u8]>::to_vec).collect()
    }

    /// Takes every cookie of this name away; whether there were any.
    pub fn remove_cookie(&mut self, name: &str) -> Result<bool> {
        let headers = self.headers().get_all("cookie");
        let kept: Vec<_> =
            headers.iter().map(|header| crate::types::cookie::without(header.as_bytes(), name)).collect();
        if kept.iter().all(Option::is_none) {
            return Ok(false);
        }
        self.headers_mut().remove("cookie")?;
        for (header, kept) in headers.into_iter().zip(kept) {
            let rest = kept.unwrap_or_else(|| header.as_bytes().to_vec());
            if !rest.is_empty() {
                self.headers_mut().append("cookie", rest)?;
            }
        }
        Ok(true)
    }

    /// `http` or `https`, as the client spoke it.
    #[must_use]
    pub fn scheme(&self) -> String {
        read(Text::Scheme)
    }

    /// The authority that the client asked for: host and, if given, port.
    #[must_use]
    pub fn authority(&self) -> String {
        read(Text::Authority)
    }

    /// The authority without its port.
    #[must_use]
    pub fn host(&self) -> String {
        let mut authority = self.authority();
        authority.truncate(crate::types::host_length(&authority));
        authority
    }

    /// Makes the head fit a body that is rewritten: what holds of the bytes as they came, which are content codings and digests, is
    /// taken away. `Content-Type` stays.
    pub fn mark_rewritten(&mut self) -> Result<()> {
        self.headers_mut().mark_rewritten()
    }

    /// The headers, to read.
    #[must_use]
    pub fn headers(&self) -> Headers<'_> {
        Headers::of(HeaderMap::Request)
    }

    /// The headers, to change.
    pub fn headers_mut(&mut self) -> HeadersMut<'_> {
        HeadersMut::of(HeaderMap::Request)
    }
}

/// A text that every exchange has.
pub(crate) fn read(text: Text) -> String {
    host::text(|out| raw::text_get(text, out)).unwrap_or_default()
}

fn write(text: Text, call: &str, value: &str) -> Result<()> {
    host::done(call, raw::text_set(text, value.as_bytes()))
}
