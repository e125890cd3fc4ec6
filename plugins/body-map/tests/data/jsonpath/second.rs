//! The second opinion for `generate.py`: queries and documents on standard input, what serde_json_path selects on
//! standard output. It is built apart from the workspace: `cargo init`, `cargo add serde_json --features
//! preserve_order`, `cargo add serde_json_path@=0.7.2`, and this as `src/main.rs`.

use serde_json::{json, Value};
use serde_json_path::{JsonPath, PathElement};

fn ask(case: &Value) -> Value {
    let query = case["query"].as_str().expect("a query is a string");
    let Ok(path) = JsonPath::parse(query) else { return Value::Null };
    let nodes = path.query_located(&case["document"]);
    let place = |element: &PathElement<'_>| match element {
        PathElement::Name(name) => json!(name),
        PathElement::Index(index) => json!(index),
    };
    let nodes = nodes.iter().map(|node| {
        let location: Vec<_> = node.location().iter().map(place).collect();
        json!([location, node.node()])
    });
    nodes.collect()
}

fn main() {
    let cases: Vec<Value> = serde_json::from_reader(std::io::stdin()).expect("the cases are JSON");
    println!("{}", cases.iter().map(ask).collect::<Value>());
}
