//! A jq filter: compiled once, run for each body.

use jaq_core::load::parse::Def;
use jaq_core::load::{self, Arena, File, Lexer, Loader};
use jaq_core::{Compiler, Ctx, Vars, compile};
use sluice_sdk::prelude::*;

use crate::functions::{self, Data};
use crate::value::Val;

/// A compiled filter.
pub(crate) struct Filter(jaq_core::Filter<Data>);

impl Filter {
    /// Compiles a filter that knows these definitions and variables, each with its `$`.
    pub(crate) fn compile(code: &str, variables: &[&str], definitions: &[Def<&'static str>]) -> Result<Self> {
        // What is not even made of tokens is refused by the loader, which says where.
        let tokens = Lexer::new(code).lex().unwrap_or_default();
        if let Some(token) = tokens.iter().find(|token| matches!(token.0, "import" | "include" | "module")) {
            bail!("{}: there are no modules", position(code, offset(code, token.0)));
        }
        let place = |part: &str| position(code, offset(code, part));
        let arena = Arena::default();
        let file = File { code, path: () };
        let modules = Loader::new(definitions.iter().cloned()).load(&arena, file);
        let modules =
            modules.map_err(|errors| Error::new(first(errors, |error| load_error(error, &place))))?;
        let compiler =
            Compiler::default().with_funs(functions::natives()).with_global_vars(variables.iter().copied());
        let filter = compiler.compile(modules).map_err(|errors| {
            Error::new(first(errors, |errors| {
                errors.first().map(|(name, kind)| undefined(name, kind, &place)).unwrap_or_default()
            }))
        })?;
        Ok(Self(filter))
    }

    /// The outputs, one after the other; an error ends them.
    pub(crate) fn run(&self, variables: &[Val], input: Val) -> impl Iterator<Item = Result<Val, String>> {
        let context = Ctx::<Data>::new(&self.0.lut, Vars::new(variables.to_vec()));
        self.0.id.run((context, input)).map(|output| {
            output.map_err(|exception| match exception.get_err() {
                // An error that is a string is its own message.
                Ok(error) => match error.into_val() {
                    Val::Str(message) => message.as_ref().to_owned(),
                    other => other.to_string(),
                },
                Err(_) => "`break` outside of its label".to_owned(),
            })
        })
    }
}

fn first<S, P, E>(errors: load::Errors<S, P, E>, message: impl Fn(&E) -> String) -> String {
    errors.first().map(|(_, error)| message(error)).unwrap_or_default()
}

fn load_error(error: &load::Error<&str>, place: &dyn Fn(&str) -> String) -> String {
    match error {
        load::Error::Io(modules) => {
            modules.first().map(|(path, _)| format!("{}: modules cannot be loaded", place(path)))
        }
        load::Error::Lex(errors) => {
            errors.first().map(|(expected, at)| format!("{}: expected {}", place(at), expected.as_str()))
        }
        load::Error::Parse(errors) => {
            errors.first().map(|(expected, at)| format!("{}: expected {}", place(at), expected.as_str()))
        }
    }
    .unwrap_or_default()
}

fn undefined(name: &str, kind: &compile::Undefined, place: &dyn Fn(&str) -> String) -> String {
    let place = place(name);
    match kind {
        compile::Undefined::Filter(arity) => format!("{place}: there is no filter `{name}/{arity}`"),
        kind => format!("{place}: there is no {} `{name}`", kind.as_str()),
    }
}

/// Where `part`, which is a piece of `whole`, begins in it.
fn offset(whole: &str, part: &str) -> usize {
    (part.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize).min(whole.len())
}

fn position(code: &str, at: usize) -> String {
    let before = code.get(..at).unwrap_or(code);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!("line {line}, column {column}")
}
