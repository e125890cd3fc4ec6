//! `jwks:<name>`: signatures verified with the key sets that the gateway keeps. A call waits only while a fetch is under way that
//! may bring the key.

use sluice_abi::{Code, Signature, import};
use wasmtime::{Caller, Linker};

use super::guest::{known, open, slice, waiting};
use crate::jwks::{Attempt, KeySets, Signed, Verification};
use crate::wasm::state::{Activity, HostState};

type Call<'a> = Caller<'a, HostState>;

/// Pointer and length.
type Range = (u32, u32);

/// The longest name of a set or of a key.
const MAX_NAME: u32 = 1024;

pub(super) fn link(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    linker.func_wrap_async(
        import::JWKS,
        "verify",
        |caller, (set, set_length, kid, kid_length, algorithm, data, data_length, bytes, bytes_length)| {
            let wanted = Wanted {
                set: (set, set_length),
                kid: (kid, kid_length),
                algorithm,
                data: (data, data_length),
                signature: (bytes, bytes_length),
            };
            Box::new(verify(caller, wanted))
        },
    )?;
    Ok(())
}

/// What a plugin asks, as it lies in its memory.
#[derive(Clone, Copy)]
struct Wanted {
    set: Range,
    kid: Range,
    algorithm: i32,
    data: Range,
    signature: Range,
}

/// The same, taken out of it: what is waited for must not hold on to the memory.
struct Taken {
    sets: KeySets,
    set: String,
    kid: Option<String>,
    algorithm: Signature,
    data: Vec<u8>,
    signature: Vec<u8>,
}

/// What is known at once: the answer, or what to wait with.
enum First {
    Answer(i32),
    Wait(Box<Taken>),
}

async fn verify(mut caller: Call<'_>, wanted: Wanted) -> wasmtime::Result<i32> {
    let taken = match attempt(&mut caller, wanted)? {
        First::Answer(answer) => return Ok(answer),
        First::Wait(taken) => taken,
    };
    let wait = waiting(&mut caller);
    let Taken { sets, set, kid, algorithm, data, signature } = &*taken;
    let signed = Signed { algorithm: *algorithm, kid: kid.as_deref(), data, signature };
    let verified = sets.verify(set, signed).await;
    wait.ended(&mut caller);
    Ok(code(verified))
}

/// Verifies with the keys that are here. Only what has to wait is copied.
fn attempt(caller: &mut Call<'_>, wanted: Wanted) -> wasmtime::Result<First> {
    let guest = open(caller, "jwks.verify")?;
    let refused = |code: Code| Ok(First::Answer(code.number()));
    let algorithm = Signature::from_number(wanted.algorithm);
    let algorithm = known(guest.call, "signature algorithm", wanted.algorithm, algorithm)?;
    let bytes = |(pointer, length): Range| slice(guest.memory, guest.call, pointer, length);
    let (set, kid) = (bytes(wanted.set)?, bytes(wanted.kid)?);
    let (data, signature) = (bytes(wanted.data)?, bytes(wanted.signature)?);
    let most = guest.state.bound.as_ref().map_or(0, |bound| bound.limits.body).max(64 << 10);
    if wanted.set.1 > MAX_NAME || wanted.kid.1 > MAX_NAME || data.len() > most || signature.len() > most {
        return refused(Code::TooLarge);
    }
    let (Ok(set), Ok(kid)) = (std::str::from_utf8(set), std::str::from_utf8(kid)) else {
        return refused(Code::Invalid);
    };
    if !guest.state.bound.as_ref().is_some_and(|bound| bound.may_verify_with(set)) {
        return refused(Code::Denied);
    }
    if matches!(guest.state.activity, Activity::Load) {
        return refused(Code::WrongPhase);
    }
    let kid = Some(kid).filter(|kid| !kid.is_empty());
    let sets = &guest.state.services(guest.call)?.jwks;
    match sets.try_verify(set, Signed { algorithm, kid, data, signature }) {
        Attempt::Done(verified) => Ok(First::Answer(code(verified))),
        Attempt::Wait(..) => Ok(First::Wait(Box::new(Taken {
            sets: sets.clone(),
            set: set.to_owned(),
            kid: kid.map(str::to_owned),
            algorithm,
            data: data.to_vec(),
            signature: signature.to_vec(),
        }))),
    }
}

const fn code(verified: Verification) -> i32 {
    match verified {
        Verification::Verified => 0,
        Verification::Mismatch => Code::Mismatch.number(),
        Verification::NoKey => Code::None.number(),
        Verification::NotYet => Code::Timeout.number(),
        Verification::WrongAlgorithm => Code::Invalid.number(),
        Verification::Unavailable => Code::Unavailable.number(),
        Verification::NoSet => Code::Denied.number(),
    }
}
