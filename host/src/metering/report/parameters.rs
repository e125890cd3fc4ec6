//! The parameters of a question: those that are known, each once.

use sluice_metering::text::seen;

use super::Refused;
use super::refused::shown;
use crate::config::closest;

/// The parameters of a question.
#[derive(Clone, Debug, Default)]
pub(crate) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// What the page `/usage` is asked with.
    pub(crate) const USAGE: &'static [&'static str] =
        &["consumer", "meter", "plan", "from", "to", "by", "dimension", "group", "limit", "cursor"];
    /// What the page `/balance` is asked with.
    pub(crate) const BALANCE: &'static [&'static str] = &["consumer"];
    /// What the page `/invoices/preview` is asked with.
    pub(crate) const INVOICE: &'static [&'static str] = &["consumer", "period", "format"];
    /// What commands are asked with.
    pub(crate) const COMMANDS: &'static [&'static str] =
        &["consumer", "meter", "plan", "from", "to", "by", "dimension", "group", "period"];
    /// What the route of a consumer's own usage is asked with.
    pub(crate) const OWN: &'static [&'static str] =
        &["view", "period", "by", "meter", "dimension", "group", "limit", "cursor", "format"];

    /// Those of a query, as a form would encode them.
    pub(crate) fn of_query(query: Option<&str>, known: &[&str]) -> Result<Self, Refused> {
        let pairs = query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        let decoded = pairs.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let decoded = |text: &str, name: &str| {
                decode(text)
                    .ok_or_else(|| Refused::parameter(name, "its percent-encoding is not that of UTF-8"))
            };
            let name = decoded(name, &seen(name))?;
            let value = decoded(value, &name)?;
            Ok((name, value))
        });
        Self::new(decoded.collect::<Result<Vec<_>, Refused>>()?, known)
    }

    /// Those that are given.
    pub(crate) fn new(pairs: Vec<(String, String)>, known: &[&str]) -> Result<Self, Refused> {
        for (index, (name, value)) in pairs.iter().enumerate() {
            if !known.contains(&&**name) {
                let meant = closest(name, known.iter().copied());
                let hint = meant.map_or_else(
                    || format!("known are {}", known.join(", ")),
                    |meant| format!("did you mean `{meant}`?"),
                );
                return Err(Refused::parameter(&shown(name), format!("there is no such parameter; {hint}")));
            }
            if pairs[..index].iter().any(|(other, _)| other == name) {
                return Err(Refused::parameter(name, "it is given twice"));
            }
            if value.is_empty() {
                return Err(Refused::parameter(name, "it is empty"));
            }
            // No name has one, and not every database is asked for it without complaint.
            if value.contains(char::is_control) {
                return Err(Refused::parameter(name, "it has a control character"));
            }
        }
        Ok(Self(pairs))
    }

    /// What a parameter is, if it is given. It is not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }

    /// A copy of it.
    pub(super) fn owned(&self, name: &str) -> Option<String> {
        self.get(name).map(str::to_owned)
    }

    /// What a parameter is that has to be given.
    pub(super) fn required(&self, name: &str, expected: &str) -> Result<String, Refused> {
        self.owned(name)
            .ok_or_else(|| Refused::parameter(name, format!("it is missing; {expected} is expected")))
    }

    /// Refuses a parameter that says nothing beside the others.
    pub(super) fn only(&self, belongs: &[&str]) -> Result<(), Refused> {
        match self.0.iter().find(|(name, _)| !belongs.contains(&&**name)) {
            Some((name, _)) => Err(Refused::parameter(
                name,
                format!("it belongs to another view; here are {}", belongs.join(", ")),
            )),
            None => Ok(()),
        }
    }

    /// The one of these that a parameter names, or the first.
    pub(super) fn one_of<T: Copy>(&self, name: &str, all: &[(&str, T)]) -> Result<T, Refused> {
        let Some(given) = self.get(name) else { return Ok(all[0].1) };
        let found = all.iter().find(|(word, _)| *word == given).map(|(_, value)| *value);
        found.ok_or_else(|| {
            let words: Vec<&str> = all.iter().map(|(word, _)| *word).collect();
            Refused::expected(name, given, &format!("one of {}", words.join(", ")))
        })
    }
}

/// Percent-decoded, with `+` for a space; `None` if that is not UTF-8 or not percent-encoding.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        bytes.push(match first {
            b'+' => b' ',
            b'%' => {
                let [high, low, tail @ ..] = tail else { return None };
                rest = tail;
                digit(*high)? << 4 | digit(*low)?
            }
            other => *other,
        });
    }
    String::from_utf8(bytes).ok()
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::{Parameters, Refused};

    fn problem(query: &str) -> String {
        match Parameters::of_query(Some(query), Parameters::USAGE) {
            Err(Refused::Parameter { name, problem }) => format!("{name}: {problem}"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn parameters_are_decoded() {
        let query = "meter=a%20b+c&dimension=model:gpt%C3%A9&&by=day";
        let parameters = Parameters::of_query(Some(query), Parameters::USAGE).unwrap();
        assert_eq!(parameters.get("meter"), Some("a b c"));
        assert_eq!(parameters.get("dimension"), Some("model:gpté"));
        assert_eq!((parameters.get("by"), parameters.get("from")), (Some("day"), None));
        assert!(Parameters::of_query(None, &[]).is_ok());
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        assert_eq!(problem("metre=x"), "metre: there is no such parameter; did you mean `meter`?");
        assert!(problem("x=1").starts_with("x: there is no such parameter; known are consumer, meter"));
        assert_eq!(problem("by=day&by=hour"), "by: it is given twice");
        assert_eq!(problem("meter="), "meter: it is empty");
        for broken in ["%ff", "%4", "%zz"] {
            assert_eq!(
                problem(&format!("meter={broken}")),
                "meter: its percent-encoding is not that of UTF-8"
            );
        }
        assert_eq!(problem("%1b[31m=1").split(':').next(), Some("\\u{1b}[31m"));
    }
}
