//! From the attribute to code, or to every mistake at once.

use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote};
use syn::{Ident, ItemImpl};

use crate::arguments::Arguments;
use crate::implementation::Implementation;

/// Mistakes found so far; compilation shows them all.
#[derive(Default)]
pub(crate) struct Mistakes(Option<syn::Error>);

impl Mistakes {
    pub(crate) fn at(&mut self, tokens: &impl ToTokens, message: String) {
        self.add(syn::Error::new_spanned(tokens, message));
    }

    pub(crate) fn add(&mut self, error: syn::Error) {
        match &mut self.0 {
            Some(first) => first.combine(error),
            None => self.0 = Some(error),
        }
    }
}

/// The known name that `text` most likely stands for.
pub(crate) fn closest<'a>(text: &str, known: &[&'a str]) -> Option<&'a str> {
    let scored = known.iter().map(|&name| (strsim::damerau_levenshtein(text, name), name));
    scored
        .filter(|(distance, name)| *distance <= name.len() / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

pub(crate) fn plugin(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let mut mistakes = Mistakes::default();
    let arguments = Arguments::parse(arguments, &mut mistakes);
    let implementation = match syn::parse2::<ItemImpl>(item.clone()) {
        Ok(parsed) => Some(Implementation::read(&parsed, &mut mistakes)),
        Err(error) => {
            let is_impl = item
                .clone()
                .into_iter()
                .any(|token| matches!(token, proc_macro2::TokenTree::Ident(word) if word == "impl"));
            if is_impl {
                mistakes.add(error);
            } else {
                mistakes.at(&item, "`#[plugin]` goes on an `impl Plugin for ...`".to_owned());
            }
            None
        }
    };
    match (mistakes.0, implementation) {
        (None, Some(implementation)) => {
            let generated = generate(&arguments, &implementation);
            quote! { #item #generated }
        }
        // Without the impl, so that nothing of it is reported a second time in the compiler's words.
        (mistakes, _) => mistakes.map(|mistakes| mistakes.to_compile_error()).unwrap_or_default(),
    }
}

fn generate(arguments: &Arguments, implementation: &Implementation) -> TokenStream {
    let Implementation { plugin, phases } = implementation;
    let name = arguments
        .name
        .as_ref()
        .map_or_else(|| quote!(::core::env!("CARGO_PKG_NAME")), ToTokens::to_token_stream);
    let description = arguments
        .description
        .as_ref()
        .map_or_else(|| quote!(::core::env!("CARGO_PKG_DESCRIPTION")), ToTokens::to_token_stream);
    let capabilities = arguments.capabilities.iter().map(Ident::to_string);
    let optional = arguments.optional.iter().map(Ident::to_string);
    let is_dispensable = arguments.dispensable.is_some();
    let isolation =
        if arguments.is_exclusive() { format_ident!("Exchange") } else { format_ident!("Shared") };
    let variants = phases.iter().map(|phase| format_ident!("{phase}"));
    let exports = phases.iter().map(|phase| export(phase));
    quote! {
        impl ::sluice_sdk::Described for #plugin {
            const NAME: &'static str = #name;
            const VERSION: &'static str = ::core::env!("CARGO_PKG_VERSION");
            const DESCRIPTION: &'static str = #description;
            const PHASES: &'static [::sluice_sdk::Phase] = &[#(::sluice_sdk::Phase::#variants),*];
            const CAPABILITIES: &'static [&'static str] = &[#(#capabilities),*];
            const OPTIONAL: &'static [&'static str] = &[#(#optional),*];
            const ISOLATION: ::sluice_sdk::Isolation = ::sluice_sdk::Isolation::#isolation;
            const DISPENSABLE: bool = #is_dispensable;
        }

        // Natively only tests call it; a plugin that nobody names would be dead code.
        #[cfg(not(target_family = "wasm"))]
        const _: fn(<#plugin as ::sluice_sdk::Plugin>::Config) -> ::sluice_sdk::Result<#plugin> =
            <#plugin as ::sluice_sdk::Plugin>::new;

        #[cfg(target_family = "wasm")]
        #[allow(unsafe_code, reason = "the host finds a plugin's functions by their unmangled names")]
        const _: () = {
            type Exported = #plugin;

            ::std::thread_local! {
                static PLUGIN: ::std::cell::OnceCell<Exported> = const { ::std::cell::OnceCell::new() };
            }

            #[unsafe(no_mangle)]
            extern "C" fn sluice_v1_describe() -> i64 {
                ::sluice_sdk::export::describe::<Exported>()
            }

            #[unsafe(no_mangle)]
            extern "C" fn sluice_v1_configure() -> i32 {
                ::sluice_sdk::export::configure::<Exported>(&PLUGIN)
            }

            #[unsafe(no_mangle)]
            extern "C" fn sluice_v1_self_test() -> i32 {
                ::sluice_sdk::export::self_test::<Exported>(&PLUGIN)
            }

            #[unsafe(no_mangle)]
            extern "C" fn sluice_v1_skipped() -> i32 {
                ::sluice_sdk::export::skipped::<Exported>(&PLUGIN)
            }

            #(#exports)*
        };
    }
}

fn export(phase: &str) -> TokenStream {
    let name = snake(phase);
    let (exported, function) = (format_ident!("sluice_v1_{name}"), format_ident!("{name}"));
    let (parameter, last) = if phase.ends_with("Chunk") {
        (quote!(last: i32), quote!(, last != 0))
    } else {
        (quote!(), quote!())
    };
    quote! {
        #[unsafe(no_mangle)]
        extern "C" fn #exported(#parameter) -> i32 {
            ::sluice_sdk::export::#function::<Exported>(&PLUGIN #last)
        }
    }
}

fn snake(phase: &str) -> String {
    let mut snake = String::new();
    for (index, letter) in phase.char_indices() {
        if letter.is_ascii_uppercase() && index > 0 {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}
