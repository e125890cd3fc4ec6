//! Request methods.

use std::fmt;
use std::str::FromStr;

use super::{InvalidValue, is_token, text_value};

macro_rules! methods {
    ($($variant:ident = $name:literal),+ $(,)?) => {
        /// A request method. Names are case-sensitive, as RFC 9110 has them.
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Method {
            $(#[doc = concat!("`", $name, "`")] $variant,)+
            /// Any other token.
            Other(String),
        }

        impl Method {
            /// The method's name.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self { $(Self::$variant => $name,)+ Self::Other(name) => name }
            }
        }

        impl From<&str> for Method {
            fn from(name: &str) -> Self {
                match name { $($name => Self::$variant,)+ other => Self::Other(other.to_owned()) }
            }
        }
    };
}

methods! {
    Get = "GET", Head = "HEAD", Post = "POST", Put = "PUT", Delete = "DELETE",
    Connect = "CONNECT", Options = "OPTIONS", Trace = "TRACE", Patch = "PATCH",
}

impl FromStr for Method {
    type Err = InvalidValue;

    fn from_str(name: &str) -> Result<Self, InvalidValue> {
        if is_token(name) { Ok(Self::from(name)) } else { Err(InvalidValue::new(name, "a request method")) }
    }
}

impl AsRef<str> for Method {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl PartialEq<str> for Method {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Method {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

text_value!(Method, "A request method, in capitals.", "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$");
