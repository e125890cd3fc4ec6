//! What has to hold for any bytes that a client or a balancer sends: one function for each reader of them, which panics where it does
//! not. Compiled for tests and with the feature `fuzz` alone; `fuzz/` feeds it.

mod chunks;
mod frames;
mod guard;
mod head;
mod path;
mod proxy;
mod server;

pub(crate) use chunks::chunks;
pub(crate) use frames::frames;
pub(crate) use guard::guard;
pub(crate) use head::head;
pub(crate) use path::path;
pub(crate) use proxy::proxy;

/// Ways in which a network may cut these bytes: not at all, into single bytes, and two by the bytes themselves, so that an input always
/// does the same.
fn cut(bytes: &[u8]) -> Vec<Vec<&[u8]>> {
    let stride = if bytes.len() <= 256 { 1 } else { 13 };
    let mut state = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mut ways = vec![vec![bytes], bytes.chunks(stride).collect()];
    for longest in [7, 60] {
        let (mut pieces, mut rest) = (Vec::new(), bytes);
        while !rest.is_empty() {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let length = usize::try_from(state >> 33).unwrap_or(0) % longest + 1;
            let (piece, after) = rest.split_at(length.min(rest.len()));
            pieces.push(piece);
            rest = after;
        }
        ways.push(pieces);
    }
    ways
}
