//! Every filter answers as jq 1.8.2 does, or `data/differences.tsv` says why it does not.
//!
//! `data/own.jsonl` and `data/official.jsonl` are what jq answered: `data/generate.py` asks it. The filters and inputs of
//! `official.jsonl` are those of jq's own test suites, MIT licence, Copyright (C) 2012 Stephen Dolan; those of the suites `man`
//! and `manonig` come from jq's manual, CC BY 3.0: see `data/COPYING.jq`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

const CASES: [&str; 2] = [include_str!("data/own.jsonl"), include_str!("data/official.jsonl")];
const DIFFERENCES: &str = include_str!("data/differences.tsv");

#[derive(Deserialize)]
struct Case {
    suite: String,
    filter: String,
    input: String,
    #[serde(default)]
    output: Vec<String>,
    #[serde(default)]
    error: bool,
    #[serde(default)]
    compile: bool,
}

/// A JSON text in a form in which equal values are equal texts. Numbers are compared as decimals, to the last digit.
fn canonical(text: &str) -> String {
    let Ok(value) = serde_json::from_str::<Value>(&quoted_numbers(text)) else {
        return format!("not JSON: {text}");
    };
    value.to_string()
}

/// The text with each number as a string `#digits,exponent`.
fn quoted_numbers(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['"', '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let length = if rest.starts_with('"') { string_length(rest) } else { number_length(rest) };
        let (token, after) = rest.split_at(length);
        if token.starts_with('"') {
            out.push_str(token)
        } else {
            out.push_str(&format!("\"#{}\"", decimal(token)))
        }
        rest = after;
    }
    out + rest
}

fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            b'"' if !escaped => return at + 1,
            b'\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}

fn number_length(text: &str) -> usize {
    text.find(|c: char| !matches!(c, '-' | '+' | '.' | 'e' | 'E' | '0'..='9')).unwrap_or(text.len())
}

fn decimal(number: &str) -> String {
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent = exponent.parse::<i64>().expect("an exponent") - fraction.len() as i64;
    let (sign, whole) = whole.strip_prefix('-').map_or(("", whole), |whole| ("-", whole));
    let digits = format!("{whole}{fraction}");
    let digits = digits.trim_start_matches('0');
    let significant = digits.trim_end_matches('0');
    let exponent =
        if significant.is_empty() { 0 } else { exponent + (digits.len() - significant.len()) as i64 };
    format!("{sign}{significant}e{exponent}")
}

fn agrees(case: &Case) -> Result<(), String> {
    let Some((output, error)) = body_script::evaluate(&case.filter, &case.input) else {
        return if case.compile { Ok(()) } else { Err("does not compile".to_owned()) };
    };
    let same = output.len() == case.output.len()
        && output.iter().zip(&case.output).all(|(ours, theirs)| canonical(ours) == canonical(theirs));
    if same && error.is_some() == case.error && !case.compile {
        Ok(())
    } else {
        Err(format!("{output:?} {error:?}"))
    }
}

/// What is known to differ: each case with the name of its reason, and the reasons, which the file explains on top.
struct Differences {
    reasons: BTreeMap<&'static str, bool>,
    cases: BTreeMap<String, (&'static str, bool)>,
}

impl Differences {
    fn read() -> Self {
        let mut differences = Self { reasons: BTreeMap::new(), cases: BTreeMap::new() };
        for line in DIFFERENCES.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
            match line.split('\t').collect::<Vec<_>>()[..] {
                [reason, explanation] => {
                    assert!(!explanation.is_empty(), "not explained: {line}");
                    differences.reasons.insert(reason, false);
                }
                [reason, suite, filter, input] => {
                    let used = differences.reasons.get_mut(reason);
                    *used.unwrap_or_else(|| panic!("a reason that is not explained: {line}")) = true;
                    let before = differences.cases.insert([suite, filter, input].join("\t"), (reason, false));
                    assert!(before.is_none(), "listed twice: {line}");
                }
                _ => panic!("neither a reason nor a case: {line}"),
            }
        }
        differences
    }

    /// The reason, and that the case exists.
    fn of(&mut self, case: &Case) -> Option<&'static str> {
        let found = self.cases.get_mut(&[case.suite.as_str(), &case.filter, &case.input].join("\t"))?;
        found.1 = true;
        Some(found.0)
    }

    fn unused(&self) -> impl Iterator<Item = String> {
        let reasons =
            self.reasons.iter().filter(|(_, used)| !**used).map(|(reason, _)| format!("no case of {reason}"));
        let cases =
            self.cases.iter().filter(|(_, (_, used))| !used).map(|(case, _)| format!("no such case: {case}"));
        reasons.chain(cases)
    }
}

/// jq's own suites nest values 10,000 levels deep, which no filter in the gateway has the stack for.
const STACK: usize = 64 << 20;

#[test]
fn filters_answer_as_jq_does_but_for_the_differences_that_are_listed() {
    let compare = std::thread::Builder::new().stack_size(STACK).spawn(compare).expect("a thread");
    let wrong = compare.join().expect("no filter panics");
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
}

fn compare() -> Vec<String> {
    let mut differences = Differences::read();
    let mut wrong = Vec::new();
    let mut count = 0;
    for line in CASES.iter().flat_map(|cases| cases.lines()) {
        let case: Case = serde_json::from_str(line).expect("a case");
        count += 1;
        let known = differences.of(&case);
        let Case { suite, filter, input, output, error, compile } = &case;
        match (agrees(&case), known) {
            (Ok(()), None) | (Err(_), Some(_)) => {}
            (Ok(()), Some(reason)) => {
                wrong.push(format!("{reason}\t{suite}\t{filter}\t{input}\tis listed, but agrees"))
            }
            (Err(ours), None) => {
                wrong.push(format!(
                    "\t{suite}\t{filter}\t{input}\tjq {output:?} {error} {compile}, here {ours}"
                ));
            }
        }
    }
    wrong.extend(differences.unused());
    assert!(count > 1500, "only {count} cases");
    wrong
}
