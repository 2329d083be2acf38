//! Random ids: unique, and impossible to guess.

use super::hash::hex;
use crate::error::{Context as _, Fault, Result};

/// 128 random bits from the system, in hexadecimal.
pub fn random_id() -> Result<String> {
    let mut bytes = [0_u8; 16];
    let filled = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    match filled.or_failed(|| "the system provides no random numbers".into())? {
        16 => Ok(hex(&bytes)),
        n => Err(Fault::failed(format!("the system provided {n} random bytes instead of 16"))),
    }
}
