//! What stands in the parentheses of `#[plugin(...)]`.

use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Expr, ExprLit, Ident, Lit, LitStr, Token, parenthesized};

use crate::expand::{Mistakes, closest};

const CAPABILITIES: [&str; 10] =
    ["log", "clock", "random", "store", "consumers", "crypto", "jwks", "fetch", "secret", "meter"];
/// Those whose calls can be denied one by one.
const OPTIONAL: [&str; 6] = ["log", "store", "consumers", "jwks", "fetch", "secret"];
const ARGUMENTS: [&str; 6] = ["capabilities", "optional", "name", "description", "isolation", "dispensable"];

#[derive(Default)]
pub(crate) struct Arguments {
    pub(crate) capabilities: Vec<Ident>,
    pub(crate) optional: Vec<Ident>,
    pub(crate) name: Option<LitStr>,
    pub(crate) description: Option<LitStr>,
    pub(crate) isolation: Option<LitStr>,
    pub(crate) dispensable: Option<Ident>,
}

enum Argument {
    Capabilities(Ident, Punctuated<Ident, Token![,]>),
    Text(Ident, LitStr),
    Flag(Ident),
    Other(Ident),
}

struct List(Punctuated<Argument, Token![,]>);

impl Parse for List {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        Punctuated::parse_terminated(input).map(Self)
    }
}

impl Parse for Argument {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let name: Ident = input.parse()?;
        if input.peek(Token![=]) {
            input.parse::<Token![=]>()?;
            match input.parse()? {
                Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Ok(Self::Text(name, text)),
                _ => Ok(Self::Other(name)),
            }
        } else if input.peek(syn::token::Paren) {
            let names;
            parenthesized!(names in input);
            Ok(Self::Capabilities(name, Punctuated::parse_terminated(&names)?))
        } else {
            Ok(Self::Flag(name))
        }
    }
}

impl Arguments {
    pub(crate) fn parse(tokens: proc_macro2::TokenStream, mistakes: &mut Mistakes) -> Self {
        let mut arguments = Self::default();
        let list = match syn::parse2::<List>(tokens) {
            Ok(list) => list.0,
            Err(error) => {
                mistakes.add(error);
                return arguments;
            }
        };
        for argument in list {
            match argument {
                Argument::Capabilities(name, kinds) if name == "capabilities" => {
                    kinds.into_iter().for_each(|kind| arguments.capability(kind, mistakes));
                }
                Argument::Capabilities(name, kinds) if name == "optional" => {
                    kinds.into_iter().for_each(|kind| arguments.optional(kind, mistakes));
                }
                Argument::Text(name, text) if name == "name" => {
                    set(&mut arguments.name, &name, text, mistakes);
                }
                Argument::Text(name, text) if name == "description" => {
                    set(&mut arguments.description, &name, text, mistakes);
                }
                Argument::Text(name, text) if name == "isolation" => {
                    if !matches!(text.value().as_str(), "shared" | "exchange") {
                        let message = "`isolation` is `\"shared\"` or `\"exchange\"`";
                        mistakes.at(&text, message.to_owned());
                    }
                    set(&mut arguments.isolation, &name, text, mistakes);
                }
                Argument::Flag(name) if name == "dispensable" => arguments.dispensable = Some(name),
                Argument::Capabilities(name, _)
                | Argument::Text(name, _)
                | Argument::Flag(name)
                | Argument::Other(name) => mistakes.at(&name, unknown(&name)),
            }
        }
        if let Some(name) = &arguments.dispensable
            && !arguments.is_exclusive()
        {
            let message = "`dispensable` is for `isolation = \"exchange\"`: of other plugins an instance is always to be had";
            mistakes.at(name, message.to_owned());
        }
        arguments
    }

    /// Whether each exchange has an instance of its own.
    pub(crate) fn is_exclusive(&self) -> bool {
        self.isolation.as_ref().is_some_and(|text| text.value() == "exchange")
    }

    fn capability(&mut self, kind: Ident, mistakes: &mut Mistakes) {
        let text = kind.to_string();
        if !CAPABILITIES.contains(&text.as_str()) {
            let hint = closest(&text, &CAPABILITIES).map_or_else(
                || format!("known are {}", list(&CAPABILITIES)),
                |known| format!("did you mean `{known}`?"),
            );
            mistakes.at(&kind, format!("there is no capability `{text}`; {hint}"));
        } else if self.capabilities.contains(&kind) || self.optional.contains(&kind) {
            mistakes.at(&kind, format!("the capability `{text}` is named twice"));
        } else {
            self.capabilities.push(kind);
        }
    }

    fn optional(&mut self, kind: Ident, mistakes: &mut Mistakes) {
        let text = kind.to_string();
        if !OPTIONAL.contains(&text.as_str()) {
            let message = format!("`{text}` cannot be optional; {} can", list(&OPTIONAL));
            mistakes.at(&kind, message);
        } else if self.capabilities.contains(&kind) || self.optional.contains(&kind) {
            mistakes.at(&kind, format!("the capability `{text}` is named twice"));
        } else {
            self.optional.push(kind);
        }
    }
}

fn set(slot: &mut Option<LitStr>, name: &Ident, text: LitStr, mistakes: &mut Mistakes) {
    if slot.is_some() {
        mistakes.at(name, format!("`{name}` is given twice"));
    } else if text.value().is_empty() {
        mistakes.at(&text, format!("`{name}` is empty"));
    } else {
        *slot = Some(text);
    }
}

fn unknown(name: &Ident) -> String {
    let text = name.to_string();
    match text.as_str() {
        "optional" => "write the capabilities in parentheses: `optional(jwks, log)`".to_owned(),
        "capabilities" => "write the capabilities in parentheses: `capabilities(store, log)`".to_owned(),
        "dispensable" => "write `dispensable` alone".to_owned(),
        "name" | "description" | "isolation" => format!("write `{text} = \"...\"`"),
        _ => match closest(&text, &ARGUMENTS) {
            Some(known) => format!("`#[plugin]` knows no `{text}`; did you mean `{known}`?"),
            None => format!("`#[plugin]` knows no `{text}`; known are {}", list(&ARGUMENTS)),
        },
    }
}

fn list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
