//! The `impl Plugin for X` under the attribute: what it writes, and what is wrong with it.

use syn::{Ident, ImplItem, ItemImpl, Type};

use crate::expand::{Mistakes, closest};

/// Method and the variant of `Phase` that it stands for.
const PHASES: [(&str, &str); 7] = [
    ("on_request", "Request"),
    ("on_request_body", "RequestBody"),
    ("on_request_chunk", "RequestChunk"),
    ("on_response", "Response"),
    ("on_response_body", "ResponseBody"),
    ("on_response_chunk", "ResponseChunk"),
    ("on_complete", "Complete"),
];

const METHODS: [&str; 10] = [
    "new",
    "self_test",
    "skips",
    "on_request",
    "on_request_body",
    "on_request_chunk",
    "on_response",
    "on_response_body",
    "on_response_chunk",
    "on_complete",
];

pub(crate) struct Implementation {
    pub(crate) plugin: Type,
    /// Variants of `Phase`, in the order of an exchange.
    pub(crate) phases: Vec<&'static str>,
}

impl Implementation {
    pub(crate) fn read(item: &ItemImpl, mistakes: &mut Mistakes) -> Self {
        let plugin = (*item.self_ty).clone();
        if !check_head(item, mistakes) {
            // Nothing that is missing in it would be missed.
            return Self { plugin, phases: Vec::new() };
        }
        let methods: Vec<&Ident> = item
            .items
            .iter()
            .filter_map(|item| if let ImplItem::Fn(method) = item { Some(&method.sig.ident) } else { None })
            .collect();
        for method in &methods {
            check_name(method, mistakes);
        }
        let has_config =
            item.items.iter().any(|item| matches!(item, ImplItem::Type(name) if name.ident == "Config"));
        if !has_config {
            mistakes
                .at(&item.self_ty, "the configuration's type is missing: `type Config = ...;`".to_owned());
        }
        // A misspelt `new` is already reported by its name.
        if !methods
            .iter()
            .any(|method| *method == "new" || closest(&method.to_string(), &METHODS) == Some("new"))
        {
            let message = "the constructor is missing: `fn new(config: Self::Config) -> Result<Self>`";
            mistakes.at(&item.self_ty, message.to_owned());
        }
        let phases = PHASES.iter().filter(|(name, _)| methods.iter().any(|method| method == name));
        Self { plugin, phases: phases.map(|(_, variant)| *variant).collect() }
    }
}

/// Whether it is an `impl Plugin for` something.
fn check_head(item: &ItemImpl, mistakes: &mut Mistakes) -> bool {
    let name = item.trait_.as_ref().and_then(|(path, _)| path.segments.last());
    let is_plugin = name.is_some_and(|segment| segment.ident == "Plugin");
    if !is_plugin {
        mistakes.at(&item.self_ty, "`#[plugin]` goes on an `impl Plugin for ...`".to_owned());
    }
    if !item.generics.params.is_empty() {
        let message = "a plugin is one concrete type: the host cannot choose type or lifetime parameters";
        mistakes.at(&item.generics, message.to_owned());
    }
    is_plugin
}

fn check_name(method: &Ident, mistakes: &mut Mistakes) {
    let name = method.to_string();
    if METHODS.contains(&name.as_str()) {
        return;
    }
    let hint = match closest(&name, &METHODS) {
        Some(known) => format!("did you mean `{known}`?"),
        None => "put helpers into an `impl` of the type itself".to_owned(),
    };
    mistakes.at(method, format!("`Plugin` has no method `{name}`; {hint}"));
}
