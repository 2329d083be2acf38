//! Names that nobody can guess and no two things share.

use super::hex;
use crate::error::{Context as _, Fault, Result};

/// 128 random bits of the system, as hexadecimal digits.
pub fn random_id() -> Result<String> {
    let mut bytes = [0_u8; 16];
    let filled = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    match filled.or_failed(|| "the system has no random numbers".into())? {
        16 => Ok(hex(&bytes)),
        n => Err(Fault::failed(format!("the system gave {n} random bytes instead of 16"))),
    }
}
