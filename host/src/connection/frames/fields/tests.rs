//! Field blocks: the specification's examples, and what is wrong with fields in every spelling.

use proptest::prelude::{any, prop, proptest};

use super::*;

fn hex(text: &str) -> Vec<u8> {
    data_encoding::HEXLOWER.decode(text.replace(' ', "").as_bytes()).unwrap()
}

/// How large the table is after each block.
fn sizes(most: usize, blocks: &[&str]) -> Vec<usize> {
    let mut fields = Fields { most, ..Fields::default() };
    let size = |block: &&str| {
        fields.look(&hex(block), false).unwrap();
        assert!(matches!(fields.state, State::Between), "{block}");
        assert_eq!(fields.size, fields.table.iter().map(Field::size).sum::<usize>());
        fields.size
    };
    blocks.iter().map(size).collect()
}

#[test]
fn the_table_is_that_of_the_specification_s_examples() {
    // RFC 7541 appendix C.3: requests without Huffman coding.
    let plain = [
        "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
        "8286 84be 5808 6e6f 2d63 6163 6865",
        "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
    ];
    assert_eq!(sizes(TABLE, &plain), [57, 110, 164]);
    // C.4: with it.
    let coded = [
        "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
        "8286 84be 5886 a8eb 1064 9cbf",
        "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
    ];
    assert_eq!(sizes(TABLE, &coded), [57, 110, 164]);
    // C.6: responses, in a table of 256 bytes.
    let evicting = [
        "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
        "4883 640e ffc1 c0bf",
        "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07",
    ];
    assert_eq!(sizes(256, &evicting), [222, 222, 215]);
}

fn verdict(block: &[u8], trailers: bool) -> Result<(), Wrong> {
    Fields::default().look(block, trailers)
}

fn literal(first: u8, texts: &[&str]) -> Vec<u8> {
    let mut block = vec![first];
    for text in texts {
        block.push(u8::try_from(text.len()).unwrap());
        block.extend_from_slice(text.as_bytes());
    }
    block
}

#[test]
fn a_fragment_is_seen_in_every_spelling_of_a_path() {
    for path in [
        literal(0x00, &[":path", "/a#b"]),
        literal(0x40, &[":path", "/a#b"]),
        literal(0x10, &[":path", "/a#b"]),
        literal(0x04, &["/a#b"]),
        literal(0x44, &["/a#b"]),
        literal(0x15, &["#"]),
        // `:path` and `/a#b` in Huffman's code.
        hex("0084 b958 d33f 04 2f612362"),
        // `/#` is 011000 111111111010, and padding.
        hex("0483 63fe bf"),
    ] {
        assert_eq!(verdict(&path, false), Err(Wrong::Fragment), "{path:x?}");
    }
    // The name of one that is remembered, whose path has none.
    let known = [literal(0x40, &[":path", "/a"]), literal(0x0f, &[]), vec![62 - 15], literal(2, &[])];
    let mut block = known[..3].concat();
    block.extend_from_slice(b"\x02/#");
    assert_eq!(verdict(&block, false), Err(Wrong::Fragment));
    for other in
        [literal(0, &["x-a", "#"]), literal(1, &["a#b"]), literal(0, &[":pat", "#"]), literal(4, &["/a"])]
    {
        assert_eq!(verdict(&other, false), Ok(()));
    }
}

#[test]
fn pseudo_header_fields_are_seen_in_trailers() {
    for field in [
        vec![0x82],
        vec![0x88],
        literal(0x04, &["/"]),
        literal(0x48, &["200"]),
        literal(0, &[":x", ""]),
        literal(0, &[":", ""]),
        hex("0084 b958 d33f 00"),
    ] {
        assert_eq!(verdict(&field, true), Err(Wrong::PseudoInTrailers), "{field:x?}");
        assert_eq!(verdict(&field, false), Ok(()));
    }
    assert_eq!(verdict(&literal(0, &["grpc-status", "0"]), true), Ok(()));
    // One that was remembered in a head.
    let mut fields = Fields::default();
    fields.look(&literal(0x44, &["/a"]), false).unwrap();
    assert_eq!(fields.look(&[0xbe], true), Err(Wrong::PseudoInTrailers));
}

proptest! {
    #[test]
    fn where_the_bytes_are_cut_makes_no_difference(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        cuts in prop::collection::vec(any::<usize>(), 0..8),
        trailers in any::<bool>(),
    ) {
        let whole = verdict(&bytes, trailers);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let mut fields = Fields::default();
        let pieces = cuts.windows(2).try_for_each(|pair| fields.look(&bytes[pair[0]..pair[1]], trailers));
        assert_eq!(whole, pieces);
        assert!(fields.size <= TABLE && fields.table.len() <= TABLE / OVERHEAD);
    }
}
