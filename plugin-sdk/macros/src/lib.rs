//! The `#[plugin]` attribute: it sees which phases an `impl Plugin` writes and declares those.

mod arguments;
mod expand;
mod implementation;

use proc_macro::TokenStream;

/// Makes a plugin of an `impl Plugin for X`: its descriptor and, for WebAssembly, its exports.
///
/// - `capabilities(consumers, store, ...)`: what it wants to be granted, by kind
///   (`log`, `clock`, `random`, `store`, `consumers`, `crypto`, `fetch`, `secret`).
/// - `name = "..."`: the plugin's name; the crate's if not given.
/// - `description = "..."`: one sentence; the crate's if not given.
#[proc_macro_attribute]
pub fn plugin(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::plugin(arguments.into(), item.into()).into()
}
