//! Digests: BLAKE2b for keys, SHA-256 for files, CRC-32 for blocks that are checked on reading.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use blake2::Blake2bVar;
use blake2::digest::{Update as _, VariableOutput as _};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{Context as _, Result};

/// Size of the blocks that have a CRC-32 each. Checking 64 KiB takes about 6 µs, so reading one
/// posting list stays cheap, and the table of sums is 1/16,384 of the data.
pub const BLOCK_BYTES: usize = 64 * 1024;

/// BLAKE2b over a canonical encoding: every field follows its length, so that no two lists of
/// fields collide.
#[derive(Clone)]
pub struct Blake(Blake2bVar);

impl Blake {
    /// A hasher with a digest of this many bytes.
    ///
    /// # Panics
    /// When `bytes` is not in 1..=64; callers pass constants.
    pub fn new(bytes: usize) -> Self {
        Self(Blake2bVar::new(bytes).expect("a BLAKE2b digest has 1 to 64 bytes"))
    }

    #[must_use]
    pub fn field(mut self, bytes: &[u8]) -> Self {
        self.add(bytes);
        self
    }

    pub fn add(&mut self, bytes: &[u8]) {
        self.0.update(&(bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    /// The digest; `N` must be the size given to `new`.
    pub fn finish<const N: usize>(self) -> [u8; N] {
        let mut out = [0; N];
        self.0.finalize_variable(&mut out).expect("the output has the size asked for");
        out
    }
}

/// Size and checksums of a file, as in `meta.json` of a generation or the manifest of a model.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct FileSum {
    pub bytes: u64,
    /// Lower-case hexadecimal.
    pub sha256: String,
    /// CRC-32 of each block of [`BLOCK_BYTES`], 8 hexadecimal digits each. Old manifests have none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub blocks: String,
}

impl FileSum {
    /// The block sums; `None` when the text is malformed.
    pub fn block_sums(&self) -> Option<Vec<u32>> {
        let (blocks, rest) = self.blocks.as_bytes().as_chunks::<8>();
        let parse = |d: &[u8; 8]| u32::from_str_radix(std::str::from_utf8(d).ok()?, 16).ok();
        blocks.iter().map(parse).collect::<Option<_>>().filter(|_| rest.is_empty())
    }

    /// Whether these are the bytes of the file, by the fastest checksum that there is.
    pub fn matches(&self, bytes: &[u8]) -> bool {
        bytes.len() as u64 == self.bytes
            && match self.block_sums().filter(|sums| !sums.is_empty()) {
                Some(sums) => sums == block_sums(bytes),
                None => sha256_hex(bytes) == self.sha256,
            }
    }
}

/// Reads a file once and computes both kinds of checksums.
///
/// # Errors
/// When the file cannot be read.
pub fn file_sum(path: &Path) -> Result<FileSum> {
    let mut file = File::open(path).or_cannot("read", path)?;
    let (mut sha, mut blocks, mut bytes) = (Sha256::new(), String::new(), 0);
    let mut block = vec![0; BLOCK_BYTES];
    loop {
        let n = read_full(&mut file, &mut block).or_cannot("read", path)?;
        if n == 0 {
            break;
        }
        Digest::update(&mut sha, &block[..n]);
        blocks.push_str(&hex(&crc32fast::hash(&block[..n]).to_be_bytes()));
        bytes += n as u64;
    }
    Ok(FileSum { bytes, sha256: hex(&sha.finalize()), blocks })
}

/// The SHA-256 of an open file, from its beginning.
pub fn sha256_of(file: &File) -> std::io::Result<String> {
    use std::os::unix::fs::FileExt as _;
    let (mut sha, mut at) = (Sha256::new(), 0);
    let mut piece = vec![0; 4 * BLOCK_BYTES];
    loop {
        match file.read_at(&mut piece, at) {
            Ok(0) => return Ok(hex(&sha.finalize())),
            Ok(n) => {
                Digest::update(&mut sha, &piece[..n]);
                at += n as u64;
            }
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

/// Opens a regular file. Anything else is refused: a pipe might block, a device might never end.
pub fn open_regular(path: &Path) -> std::io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
    let flags = i32::try_from(flags.bits()).unwrap_or_default();
    let file = File::options().read(true).custom_flags(flags).open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(std::io::Error::other(format!("{} is not a regular file", path.display()))),
    }
}

/// The content of a regular file that should be small.
pub fn read_small(path: &Path) -> std::io::Result<Vec<u8>> {
    /// The manifest of a model with 8 GB of weights has 1 MB of checksums.
    const MOST: u64 = 16 << 20;
    let mut bytes = Vec::new();
    open_regular(path)?.take(MOST + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 <= MOST {
        true => Ok(bytes),
        false => {
            Err(std::io::Error::other(format!("{} has more than {MOST} bytes", path.display())))
        }
    }
}

fn read_full(file: &mut File, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(filled)
}

/// CRC-32 of each block of `bytes`.
pub fn block_sums(bytes: &[u8]) -> Vec<u32> {
    bytes.chunks(BLOCK_BYTES).map(crc32fast::hash).collect()
}

pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// HMAC-SHA256 (RFC 2104) in hexadecimal.
pub fn hmac_sha256_hex(key: &[u8], message: &[u8]) -> String {
    const BLOCK_BYTES: usize = 64;
    let mut block = [0; BLOCK_BYTES];
    let hashed = Sha256::digest(key);
    let key = if key.len() > BLOCK_BYTES { hashed.as_slice() } else { key };
    block.iter_mut().zip(key).for_each(|(b, k)| *b = *k);
    let pad = |with: u8| block.map(|b| b ^ with);
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(message).finalize();
    hex(&Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize())
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|b| [DIGITS[usize::from(b >> 4)], DIGITS[usize::from(b & 15)]])
        .map(char::from)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first, second and sixth case of RFC 4231.
    #[test]
    fn the_mac_is_that_of_the_standard() {
        let check = |key: &[u8], message: &[u8], expected: &str| {
            assert_eq!(hmac_sha256_hex(key, message), expected);
        };
        check(
            &[0x0b; 20],
            b"Hi There",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        );
        check(
            b"Jefe",
            b"what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        );
        check(
            &[0xaa; 131],
            b"Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        );
    }
}
