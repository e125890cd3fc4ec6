//! The policy as a gateway runs it: vectors of the specifications, requests signed by others, and what is refused.

mod bounds;
mod compat;
mod digest;
mod forged;
mod refused;
mod replay;
mod sign;
mod vectors;
