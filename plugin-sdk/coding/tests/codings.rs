//! What is encoded is decoded again, however it is cut; what is not well-formed or too large is refused.

use std::io::{Read, Write};

use proptest::prelude::{
    Just, ProptestConfig, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest,
};
use sluice_sdk_coding::{Coding, CodingError, Encoder, decode};

const ALL: [Coding; 4] = [Coding::Gzip, Coding::Deflate, Coding::Brotli, Coding::Zstd];
/// Those that have an encoder.
const ENCODED: [Coding; 3] = [Coding::Gzip, Coding::Brotli, Coding::Zstd];

fn encode(coding: Coding, level: u8, body: &[u8]) -> Result<Vec<u8>, CodingError> {
    if coding != Coding::Deflate {
        return sluice_sdk_coding::encode(coding, level, body);
    }
    let mut encoder =
        flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::new(u32::from(level.min(9))));
    encoder.write_all(body).expect("memory takes it");
    Ok(encoder.finish().expect("memory takes it"))
}

fn decoded(coding: Coding, body: &[u8], bound: usize) -> Result<Vec<u8>, CodingError> {
    decode(Some(coding.name()), body, bound).map(std::borrow::Cow::into_owned)
}

/// Text that compresses, and not only into one long match.
fn text(length: usize) -> Vec<u8> {
    let lines = (0_u64..).flat_map(|number| {
        let hash = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        format!("{{\"id\":{number},\"hash\":\"{hash:016x}\",\"state\":\"open\"}}\n").into_bytes()
    });
    lines.take(length).collect()
}

#[test]
fn a_body_without_a_coding_passes_as_it_is() {
    for header in [None, Some(""), Some("identity"), Some(" , Identity ,")] {
        assert_eq!(&*decode(header, b"body", 4).unwrap(), b"body");
        assert_eq!(decode(header, b"body", 3), Err(CodingError::TooLarge { bound: 3 }));
    }
}

#[test]
fn codings_are_undone_in_reverse_order() {
    let body = text(5000);
    let twice = encode(Coding::Brotli, 4, &encode(Coding::Gzip, 6, &body).unwrap()).unwrap();
    assert_eq!(&*decode(Some("gzip, br"), &twice, 5000).unwrap(), body);
    assert_eq!(&*decode(Some("X-GZIP,identity, BR"), &twice, 5000).unwrap(), body);
    let coding = Coding::Gzip;
    assert_eq!(decode(Some("br, gzip"), &twice, 5000), Err(CodingError::Malformed { coding }));
    assert_eq!(decode(Some("gzip, gzip, br, gzip"), &twice, 5000), Err(CodingError::TooMany));
}

#[test]
fn an_unknown_coding_is_named() {
    for (header, name) in
        [("compress", "compress"), ("gzip, aes128gcm", "aes128gcm"), ("*", "*"), ("gzip;q=1", "gzip;q=1")]
    {
        let refused = CodingError::Unsupported { coding: name.to_owned() };
        assert_eq!(decode(Some(header), b"", 100), Err(refused), "{header}");
    }
    let long = decode(Some(&"x".repeat(10_000)), b"", 100).unwrap_err();
    assert!(long.to_string().len() < 100, "{long}");
}

#[test]
fn the_bound_is_exact() {
    for coding in ALL {
        for length in [0, 1, 1000, 65_536, 300_000] {
            let body = text(length);
            let encoded = encode(coding, 4, &body).unwrap();
            assert_eq!(decoded(coding, &encoded, length), Ok(body), "{coding} {length}");
            if let Some(bound) = length.checked_sub(1) {
                let refused = Err(CodingError::TooLarge { bound });
                assert_eq!(decoded(coding, &encoded, bound), refused, "{coding} {length}");
            }
        }
    }
}

#[test]
fn a_bomb_stops_at_the_bound() {
    for coding in ALL {
        let bomb = encode(coding, 4, &vec![0; 64 << 20]).unwrap();
        assert!(bomb.len() < (64 << 20) / 900, "{coding}: {}", bomb.len());
        for bound in [0, 1, 100, 1 << 20] {
            assert_eq!(decoded(coding, &bomb, bound), Err(CodingError::TooLarge { bound }), "{coding}");
        }
    }
}

#[test]
fn a_stream_that_is_cut_off_is_malformed() {
    let body = text(3000);
    for coding in ALL {
        let encoded = encode(coding, 4, &body).unwrap();
        for length in 0..encoded.len() {
            let refused = Err(CodingError::Malformed { coding });
            assert_eq!(decoded(coding, &encoded[..length], 10_000), refused, "{coding}: {length}");
        }
    }
}

#[test]
fn what_follows_a_stream_is_malformed() {
    for coding in ALL {
        let encoded = encode(coding, 4, b"body").unwrap();
        for rest in [&b"\0"[..], b"\x1f\x8b", b"garbage", &[0; 100]] {
            let refused = Err(CodingError::Malformed { coding });
            assert_eq!(decoded(coding, &[&encoded, rest].concat(), 10_000), refused, "{coding}: {rest:?}");
        }
    }
}

#[test]
fn members_and_frames_are_one_body() {
    for coding in [Coding::Gzip, Coding::Zstd] {
        let parts = [
            encode(coding, 4, b"one ").unwrap(),
            encode(coding, 1, b"").unwrap(),
            encode(coding, 9, b"two").unwrap(),
        ];
        assert_eq!(decoded(coding, &parts.concat(), 7), Ok(b"one two".to_vec()), "{coding}");
        assert_eq!(decoded(coding, &parts.concat(), 6), Err(CodingError::TooLarge { bound: 6 }), "{coding}");
    }
    for coding in [Coding::Deflate, Coding::Brotli] {
        let part = encode(coding, 4, b"one ").unwrap();
        assert_eq!(decoded(coding, &[&*part, &part].concat(), 8), Err(CodingError::Malformed { coding }));
    }
}

#[test]
fn a_body_of_countless_empty_members_is_refused() {
    for coding in [Coding::Gzip, Coding::Zstd] {
        let empty = encode(coding, 4, b"").unwrap();
        assert_eq!(decoded(coding, &empty.repeat(256), 0), Ok(Vec::new()), "{coding}");
        assert_eq!(
            decoded(coding, &empty.repeat(257), 0),
            Err(CodingError::Malformed { coding }),
            "{coding}"
        );
    }
}

#[test]
fn frames_of_zstd_that_carry_no_data_are_skipped() {
    let frame = encode(Coding::Zstd, 1, b"body").unwrap();
    let skipped =
        [&b"\x5A\x2A\x4D\x18\x03\x00\x00\x00abc"[..], &frame, b"\x50\x2A\x4D\x18\x00\x00\x00\x00"].concat();
    assert_eq!(decoded(Coding::Zstd, &skipped, 4), Ok(b"body".to_vec()));
    let too_long = [&frame[..], b"\x50\x2A\x4D\x18\x04\x00\x00\x00abc"].concat();
    assert_eq!(decoded(Coding::Zstd, &too_long, 4), Err(CodingError::Malformed { coding: Coding::Zstd }));
}

#[test]
fn a_damaged_checksum_is_malformed() {
    let mut gzip = encode(Coding::Gzip, 6, b"hello").unwrap();
    let crc = gzip.len() - 8;
    gzip[crc] ^= 1;
    assert_eq!(decoded(Coding::Gzip, &gzip, 100), Err(CodingError::Malformed { coding: Coding::Gzip }));
    let mut zlib = encode(Coding::Deflate, 6, b"hello").unwrap();
    *zlib.last_mut().unwrap() ^= 1;
    assert_eq!(decoded(Coding::Deflate, &zlib, 100), Err(CodingError::Malformed { coding: Coding::Deflate }));
    let mut zstd = ZSTD_WITH_CHECKSUM.to_vec();
    assert_eq!(decoded(Coding::Zstd, &zstd, 100), Ok(HELLO.to_vec()));
    *zstd.last_mut().unwrap() ^= 1;
    assert_eq!(decoded(Coding::Zstd, &zstd, 100), Err(CodingError::Malformed { coding: Coding::Zstd }));
}

const HELLO: &[u8] = b"hello hello hello hello\n";
// Written by gzip 1.12 (with a file name), zlib, libbrotli 1.0 and libzstd 1.5.
const GZIP_WITH_NAME: &[u8] =
    b"\x1F\x8B\x08\x08\x7B\x19\x04\x6B\x02\x03\x68\x65\x6C\x6C\x6F\x2E\x74\x78\x74\x00\xCB\x48\xCD\xC9\xC9\x57\xC8\x40\x27\xB9\x00\x00\x88\x59\x0B\x18\x00\x00\x00";
const ZLIB: &[u8] = b"\x78\x9C\xCB\x48\xCD\xC9\xC9\x57\xC8\x40\x27\xB9\x00\x70\xBE\x08\xBB";
const BROTLI: &[u8] =
    b"\x1B\x17\x00\xF8\x8D\x94\x6E\xDE\x44\x55\x86\xD6\x0A\x20\x6C\x6F\x4A\x11\x79\xE2\x80\xAE\x16";
const ZSTD_WITH_CHECKSUM: &[u8] = b"\x28\xB5\x2F\xFD\x04\x68\x6D\x00\x00\x38\x68\x65\x6C\x6C\x6F\x20\x0A\x01\x00\x99\x4B\x11\xA8\x7C\x2E\xA8";

#[test]
fn what_the_reference_tools_write_is_read() {
    for (coding, body) in [
        (Coding::Gzip, GZIP_WITH_NAME),
        (Coding::Deflate, ZLIB),
        (Coding::Brotli, BROTLI),
        (Coding::Zstd, ZSTD_WITH_CHECKSUM),
    ] {
        assert_eq!(decoded(coding, body, HELLO.len()), Ok(HELLO.to_vec()), "{coding}");
    }
}

#[test]
fn large_windows_need_no_more_than_the_bound() {
    // A frame that asks for 2 GiB of window and holds five bytes.
    let mut frame = vec![0x28, 0xB5, 0x2F, 0xFD, 0x00, 21 << 3, 5 << 3 | 1, 0, 0];
    frame.extend(b"hello");
    assert_eq!(decoded(Coding::Zstd, &frame, 5), Ok(b"hello".to_vec()));
    assert_eq!(decoded(Coding::Zstd, &frame, 4), Err(CodingError::TooLarge { bound: 4 }));
    // An uncompressed meta-block of brotli that announces 16 MiB, in a window of 16 MiB, and begins.
    let announced = [&[0xCF, 0xFF, 0xFF, 0xFF][..], &[b'a'; 100]].concat();
    assert_eq!(decoded(Coding::Brotli, &announced, 1 << 20), Err(CodingError::TooLarge { bound: 1 << 20 }));
}

#[test]
fn what_is_flushed_can_be_read_without_the_rest() {
    for coding in ENCODED {
        let mut encoder = Encoder::new(coding, 4).unwrap();
        let mut sent = Vec::new();
        for event in ["data: 1\n\n", "data: 2\n\n", "data: 3\n\n"] {
            sent.extend(encoder.push(event.as_bytes()));
            sent.extend(encoder.flush());
            assert_eq!(encoder.flush(), b"", "{coding}: there is nothing left");
            // A stream that was only cut off: with an end put to it, it is whole.
            assert!(partly(coding, &sent).ends_with(event.as_bytes()), "{coding}");
        }
        sent.extend(encoder.finish());
        assert_eq!(decoded(coding, &sent, 27), Ok(b"data: 1\n\ndata: 2\n\ndata: 3\n\n".to_vec()), "{coding}");
    }
}

/// What a receiver sees of an unfinished stream.
fn partly(coding: Coding, sent: &[u8]) -> Vec<u8> {
    let mut seen = vec![0; 4096];
    let length = match coding {
        Coding::Gzip => {
            let mut decoder = flate2::Decompress::new_gzip(15);
            decoder.decompress(sent, &mut seen, flate2::FlushDecompress::Sync).expect("it is correct so far");
            usize::try_from(decoder.total_out()).expect("it is correct so far")
        }
        Coding::Deflate => unreachable!("it has no encoder"),
        Coding::Brotli => {
            brotli_decompressor::Decompressor::new(sent, 4096).read(&mut seen).expect("it is correct so far")
        }
        Coding::Zstd => {
            // A last, empty block.
            let whole = [sent, &[1, 0, 0]].concat();
            let mut decoder =
                ruzstd::decoding::StreamingDecoder::new(&whole[..]).expect("it is correct so far");
            let mut all = Vec::new();
            decoder.read_to_end(&mut all).expect("it is correct so far");
            return all;
        }
    };
    seen.truncate(length);
    seen
}

#[test]
fn levels_beyond_the_highest_are_the_highest() {
    for coding in ALL {
        let body = text(2000);
        for level in [0, 1, 9, 11, 22, 255] {
            let encoded = encode(coding, level, &body).unwrap();
            assert_eq!(decoded(coding, &encoded, 2000).as_deref(), Ok(&*body), "{coding} {level}");
        }
    }
}

/// What may be done with an encoder.
#[derive(Clone, Debug)]
enum Act {
    Push(Vec<u8>),
    Flush,
    Store,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let noise = prop::collection::vec(any::<u8>(), 0..3000).prop_map(Act::Push);
    let text = (0..200_000_usize, any::<u8>()).prop_map(|(length, seed)| {
        Act::Push(text(length).into_iter().map(|byte| byte ^ (seed & 1)).collect())
    });
    let act = prop_oneof![4 => noise, 2 => text, 2 => Just(Act::Flush), 1 => Just(Act::Store)];
    prop::collection::vec(act, 0..8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_cutting_comes_back(coding in prop::sample::select(&ENCODED[..]), level in 0_u8..7, acts in acts()) {
        let mut encoder = Encoder::new(coding, level).unwrap();
        let (mut body, mut sent) = (Vec::new(), Vec::new());
        for act in acts {
            sent.extend(match act {
                Act::Push(bytes) => {
                    body.extend_from_slice(&bytes);
                    encoder.push(&bytes)
                }
                Act::Flush => encoder.flush(),
                Act::Store => encoder.store(),
            });
        }
        sent.extend(encoder.finish());
        prop_assert_eq!(decoded(coding, &sent, body.len()), Ok(body));
    }

    #[test]
    fn anything_at_all_is_answered_within_the_bound(
        coding in prop::sample::select(&ALL[..]),
        body in prop::collection::vec(any::<u8>(), 0..2000),
        bound in 0..5000_usize,
    ) {
        if let Ok(decoded) = decoded(coding, &body, bound) {
            prop_assert!(decoded.len() <= bound);
        }
    }

    #[test]
    fn a_damaged_stream_is_answered_within_the_bound(
        coding in prop::sample::select(&ALL[..]),
        length in 0..20_000_usize,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        bound in 0..30_000_usize,
    ) {
        let mut encoded = encode(coding, 4, &text(length)).unwrap();
        for (place, byte) in damage {
            let place = place.index(encoded.len());
            encoded[place] = byte;
        }
        if let Ok(decoded) = decoded(coding, &encoded, bound) {
            prop_assert!(decoded.len() <= bound);
        }
    }
}
