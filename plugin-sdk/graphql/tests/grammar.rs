//! What is a document, what is not, and what one holds.

use sluice_sdk_graphql::{
    Document, InvalidSpread, OperationKind, ParseError, Selected, ValueKind, parse, position,
};

const MANY: usize = 10_000;

#[track_caller]
fn refused(source: &str, at: usize, reason: &str) {
    match parse(source, MANY) {
        Err(ParseError::Syntax { at: found, message }) => {
            assert_eq!((found, message.as_str()), (at, reason), "{source}");
        }
        other => panic!("{source}: {other:?}"),
    }
}

fn field<'d>(document: &'d Document<'_>, at: usize) -> (&'d str, Option<&'d str>) {
    match &document.selection(at).selected {
        Selected::Field { name, alias, .. } => (name, *alias),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_document_is_taken_apart() {
    let source = "\u{feff}# comment\n\"described\" query Q($id: ID!, \"\"\"first\"\"\" $n: [[Int!]]! = [[1]] @d) @a @b(c: $n) {\
        me: user(id: $id, where: { a: [1, -2.5e3, \"x\\u{1F600}\\uD83D\\uDE00\"], b: null }) @skip(if: true) { id ...F }\
        ... on User @x { name } ... @include(if: false) { last } }\
        fragment F on User { type on fragment }";
    let document = parse(source, MANY).unwrap();
    let operation = document.operation(Some("Q")).unwrap();
    assert_eq!((operation.kind, operation.definition.directives.len()), (OperationKind::Query, 3));
    let [id, n] = operation.variables.as_slice() else { panic!("{operation:?}") };
    assert!(id.of.is_required() && id.of.lists.is_empty() && id.default.is_none());
    assert_eq!((n.of.name, n.of.non_null, n.of.lists.as_slice()), ("Int", true, &[true, false][..]));
    assert_eq!(document.value(n.default.unwrap()).kind, ValueKind::List);
    assert_eq!(document.value(n.default.unwrap()).items, 1);

    let roots: Vec<_> = document.level(operation.definition.selections.clone()).collect();
    assert_eq!(roots.len(), 3);
    assert_eq!(field(&document, roots[0]), ("user", Some("me")));
    let Selected::Field { arguments, .. } = &document.selection(roots[0]).selected else { panic!() };
    let arguments: Vec<_> = document.arguments(arguments.clone()).collect();
    assert_eq!(document.value(arguments[0]).kind, ValueKind::Variable("id"));
    let within: Vec<_> = document.items(arguments[1]).map(|at| document.value(at)).collect();
    assert_eq!(within.iter().map(|value| value.name).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(within[1].kind, ValueKind::Null);
    assert_eq!((document.value(arguments[1]).items, within[0].items, within[1].items), (2, 3, 0));
    assert_eq!(document.level(document.within(roots[0])).count(), 2);
    let Selected::Inline { on: Some("User") } = document.selection(roots[1]).selected else { panic!() };
    let Selected::Inline { on: None } = document.selection(roots[2]).selected else { panic!() };
    let fragment = &document.fragments[document.fragment("F").unwrap()];
    let names: Vec<_> = document.level(fragment.definition.selections.clone()).collect();
    assert_eq!(
        names.iter().map(|&at| field(&document, at).0).collect::<Vec<_>>(),
        ["type", "on", "fragment"]
    );
}

#[test]
fn what_is_written_oddly_is_still_a_document() {
    for source in [
        "{a}",
        "query{a}",
        "query query{query}mutation mutation{mutation}",
        "{,,a,,,b,}",
        "{a(x:\"\"\"a\\b\\\\c\r\n\rd\u{2028}#\n\"\"\")}",
        "{a(x:\"\",y:\"\"\"\"\"\",z:-0,w:0.0e-1)}",
        "{a(true:true,null:null,on:on)}",
        "{a(x:[],y:{},z:[[]{}])}",
        "{a#c\r\n#d\n}",
        "query($a:Int$b:Int){a}",
        "{...on on{on}}",
        "{a(x:\"\\u{00000041}\\/\\t\")}",
    ] {
        assert!(parse(source, MANY).is_ok(), "{source}: {:?}", parse(source, MANY));
    }
}

#[test]
fn what_is_no_document_is_refused_with_its_place() {
    refused("", 0, "the end where an operation or a fragment is expected");
    refused("type Query { a: Int }", 0, "`type` where an operation or a fragment is expected");
    refused("\"a\" {a}", 4, "`{` where an operation or a fragment is expected");
    refused("{}", 1, "`}` where a field is expected");
    refused("{a{}}", 3, "`}` where a field is expected");
    refused("{a", 2, "the end where a field is expected");
    refused("{a}}", 3, "`}` where an operation or a fragment is expected");
    refused("{a()}", 3, "`)` where an argument is expected");
    refused("query(){a}", 6, "`)` where `$` is expected");
    refused("query($a:Int=$b){a}", 13, "`$` where a value is expected");
    refused("query($a:[Int){a}", 13, "`)` where `]` is expected");
    refused("{a(x:}", 5, "`}` where a value is expected");
    refused("{a(x:[1)}", 7, "`)` where a value is expected");
    refused("{a(x:{1:2})}", 6, "a number where a field is expected");
    refused("{a:b:c}", 4, "`:` where a field is expected");
    refused("{...on}", 6, "`}` where a type is expected");
    refused("{...}", 4, "`}` where `{` is expected");
    refused("{...F{a}}", 5, "`{` where a field is expected");
    refused("fragment on on T{a}", 9, "`on` where a fragment's name is expected");
    refused("fragment F($a:Int) on T{a}", 10, "`(` where `on` is expected");
    refused("{a..b}", 2, "a character that begins no token");
    refused("{é}", 1, "a character that begins no token");
    refused("{a(x:01)}", 7, "a number that begins with 0");
    refused("{a(x:1a)}", 6, "a number that does not end");
    refused("{a(x:1.)}", 7, "a digit is missing");
    refused("{a(x:1.0.0)}", 8, "a number that does not end");
    refused("{a(x:-)}", 6, "a digit is missing");
    refused("{a(x:+1)}", 5, "a character that begins no token");
    refused("{a(x:\"b\nc\")}", 7, "a string without an end");
    refused("{a(x:\"\"\"b)}", 11, "a string without an end");
    refused("{a(x:\"\\x\")}", 6, "an escape that there is not");
    refused("{a(x:\"\\u12\")}", 6, "an escape that is no character");
    refused("{a(x:\"\\uD83D\")}", 6, "an escape that is no character");
    refused("{a(x:\"\\uD83D\\u0041\")}", 6, "an escape that is no character");
    refused("{a(x:\"\\u{110000}\")}", 6, "an escape that is no character");
    refused("{a(x:\"\0\")}", 6, "a control character");
    refused("{a#\0\n}", 3, "a control character");
}

#[test]
fn what_could_be_read_in_two_ways_is_refused() {
    refused("{a}{b}", 0, "an operation without a name is not alone");
    refused("query A{a}query A{b}", 10, "operation `A` is there twice");
    refused("{a}fragment F on T{a}fragment F on T{b}", 21, "fragment `F` is there twice");
    refused("{a(x:1,x:2)}", 2, "argument `x` is there twice");
    refused("{a(x:{y:1,y:2})}", 13, "field `y` is there twice");
    refused("query($a:Int,$a:Int){a}", 5, "variable `$a` is there twice");
}

#[test]
fn what_ends_elsewhere_for_others_is_refused() {
    let (line, mark) = ("a line end that is not everybody's", "a quotation mark in a block string");
    for (source, at) in [
        ("{a#\rb\n}", 3),
        ("{a\rb}", 2),
        ("{a}\r", 3),
        ("{a#\u{2028}\n}", 3),
        ("{a#é\u{2029}\n}", 5),
        ("{a #\u{85}\n}", 4),
    ] {
        refused(source, at, line);
    }
    refused("{a(x:\"\"\"b\"c\"\"\")}", 9, mark);
    refused("{a(x:\"\"\"\"b\"\"\")}", 8, mark);
    refused("{a(x:\"\"\"b\"\"\"\")}", 12, mark);
    refused("{a(x:\"\"\"b\\\"\"\"\"\"\")}", 9, mark);
    let tokens = |source| {
        let mut lexer = sluice_sdk_graphql::Lexer::new(source, MANY);
        std::iter::from_fn(|| lexer.advance().ok().filter(|token| !token.text.is_empty())).count()
    };
    assert_eq!(tokens("\"\"\"b \"c\" \\\"\"\" \"\"\" #\u{2028} d\r e"), 2);
}

#[test]
fn tokens_are_bounded_and_nesting_needs_no_stack() {
    assert_eq!(parse("{a b c}", 4).unwrap_err(), ParseError::TooManyTokens(4));
    assert!(parse("{a b c}", 5).is_ok());
    const DEEP: usize = 300_000;
    for (open, middle, close) in [("{a", "", "}"), ("{a(x:", "[", "]")] {
        let nested = if middle.is_empty() {
            open.repeat(DEEP) + &close.repeat(DEEP)
        } else {
            format!("{open}{}{})}}", middle.repeat(DEEP), close.repeat(DEEP))
        };
        assert!(parse(&nested, usize::MAX).is_ok());
        assert!(matches!(parse(&nested, 1_000), Err(ParseError::TooManyTokens(1_000))));
    }
    assert!(
        parse(&format!("query($a:{}Int{}){{a}}", "[".repeat(DEEP), "]".repeat(DEEP)), usize::MAX).is_ok()
    );
}

#[test]
fn fragments_have_an_order() {
    let order = |source: &str| {
        let document = parse(source, MANY).unwrap();
        let order = document.fragment_order().map_err(|error| match error {
            InvalidSpread::Unknown { name, at } => format!("unknown {name} {at}"),
            InvalidSpread::Circle { name, at } => format!("circle {name} {at}"),
        })?;
        Ok(order.into_iter().map(|at| document.fragments[at].name.to_owned()).collect::<Vec<_>>().join(" "))
    };
    let on = |name: &str, body: &str| format!("fragment {name} on T{{{body}}}");
    assert_eq!(
        order(&["{...A}", &on("A", "...B ...C"), &on("B", "...C"), &on("C", "c")].concat()),
        Ok("C B A".into())
    );
    assert_eq!(order("{...A}"), Err("unknown A 1".to_owned()));
    assert_eq!(order(&["{a}", &on("A", "a{...A}")].concat()), Err("circle A 21".to_owned()));
    let ring = ["{...A}", &on("A", "...B"), &on("B", "...on T{...C}"), &on("C", "...A")].concat();
    assert!(order(&ring).is_err_and(|error| error.starts_with("circle A")));
    // A chain as long as it may be is no matter of the stack.
    let chain: String = (0..50_000).map(|at| on(&format!("F{at}"), &format!("...F{}", at + 1))).collect();
    let document = format!("{{...F0}}{chain}{}", on("F50000", "a"));
    assert_eq!(parse(&document, usize::MAX).unwrap().fragment_order().unwrap().len(), 50_001);
}

#[test]
fn places_are_told_by_line_and_column() {
    for (source, at, place) in [
        ("a", 0, (1, 1)),
        ("é\r\nbc", 5, (2, 2)),
        ("\n\r\na", 3, (3, 1)),
        ("a\n", 2, (2, 1)),
        ("a", 9, (1, 2)),
    ] {
        assert_eq!(position(source, at), place, "{source:?} {at}");
    }
}
