//! The file system, with the guarantees that other rooms rely on.
//!
//! A file that other processes may see appears complete or not at all ([`replace`]); a writer holds
//! the [`Lock`]; reading through [`Mapped`] returns the bytes that were written, or an error that
//! names the file. Nothing here interprets the bytes.

mod given;
mod hash;
mod id;
mod identity;
mod lock;
mod mapped;
mod scratch;
mod write;

pub use given::{given_file, given_folder};
pub use hash::{
    BLOCK_BYTES, Blake, FileSum, block_sums, file_sum, hex, hmac_sha256_hex, open_regular,
    read_small, sha256_hex, sha256_of,
};
pub use id::random_id;
pub use identity::{FileId, FileVersion, file_id, id_of};
pub use lock::Lock;
pub use mapped::{Damage, Mapped};
pub use scratch::Scratch;
pub use write::{
    Existing, available, create_dir, create_file, if_exists, is_temporary, link_or_copy,
    put_in_place, real_path, refuse_existing, remove_dir, replace, reserve, sync_dir, sync_file,
    write_file,
};
