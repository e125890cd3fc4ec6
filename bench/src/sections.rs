//! Sections of `bench/RESULTS.md`: each is replaced by its newest run, everything between them stays.

const END: &str = "<!-- /bench -->\n";

/// `document` with `section` in the place of the one of this name, or at the end if there was none.
pub(crate) fn replace(document: &str, name: &str, section: &str) -> String {
    let begin = format!("<!-- bench: {name} -->\n");
    let section = format!("{begin}{section}{END}");
    if let Some((before, rest)) = document.split_once(&begin)
        && let Some((_, after)) = rest.split_once(END)
    {
        return format!("{before}{section}{after}");
    }
    let gap = if document.is_empty() || document.ends_with("\n\n") { "" } else { "\n" };
    format!("{document}{gap}{section}")
}

#[cfg(test)]
mod tests {
    use super::replace;

    #[test]
    fn a_new_section_goes_to_the_end_and_a_newer_one_to_its_place() {
        let one = replace("# Results\n", "one", "old\n");
        assert_eq!(one, "# Results\n\n<!-- bench: one -->\nold\n<!-- /bench -->\n");
        let both = replace(&(one + "Prose.\n"), "two", "second\n");
        let newer = replace(&both, "one", "new\n");
        assert_eq!(
            newer,
            "# Results\n\n<!-- bench: one -->\nnew\n<!-- /bench -->\nProse.\n\n<!-- bench: two -->\nsecond\n<!-- /bench -->\n"
        );
    }

    #[test]
    fn a_section_without_an_end_is_left_alone() {
        let broken = "<!-- bench: one -->\nold\n";
        assert!(replace(broken, "one", "new\n").starts_with(broken));
    }
}
