//! How a value is stored: compressed when that saves space, with its age and a checksum over
//! everything that it belongs to. Pure.

/// Version of the layout; other versions are unknown values.
const VERSION: u8 = 1;
const PLAIN: u8 = 0;
const ZSTD: u8 = 1;
/// Version, codec, time, size, checksum.
const HEADER_BYTES: usize = 2 + 8 + 4 + 4;
/// Smaller values do not shrink enough to pay for it.
const MIN_COMPRESSED_BYTES: usize = 1024;
/// The fastest level: a slower one costs more than the bytes it saves on a local network.
const LEVEL: i32 = 1;
/// A value that claims to be larger is refused before it is unpacked.
const MAX_BYTES: usize = 64 << 20;

/// A stored value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packed {
    pub value: Vec<u8>,
    /// Unix seconds.
    pub created: i64,
}

/// The stored form of a value that belongs to `owner`: its key and scope.
pub fn pack(value: &[u8], created: i64, owner: &[&[u8]]) -> Vec<u8> {
    let packed = (value.len() >= MIN_COMPRESSED_BYTES)
        .then(|| zstd::bulk::compress(value, LEVEL).ok())
        .flatten()
        .filter(|packed| packed.len() < value.len());
    let codec = if packed.is_some() { ZSTD } else { PLAIN };
    let body = packed.as_deref().unwrap_or(value);
    let mut out = Vec::with_capacity(HEADER_BYTES + body.len());
    out.extend([VERSION, codec]);
    out.extend(created.to_le_bytes());
    out.extend((value.len() as u32).to_le_bytes());
    out.extend(checksum(value, created, owner).to_le_bytes());
    out.extend(body);
    out
}

/// The value; `None` when it is not what [`pack`] made for this owner.
pub fn unpack(bytes: &[u8], owner: &[&[u8]]) -> Option<Packed> {
    let crc = u32::from_le_bytes(bytes.get(14..18)?.try_into().ok()?);
    let packed = unpack_unchecked(bytes)?;
    (checksum(&packed.value, packed.created, owner) == crc).then_some(packed)
}

/// As [`unpack`] for an unknown owner, so without the checksum: to look at a value, not to use it.
pub fn unpack_unchecked(bytes: &[u8]) -> Option<Packed> {
    let (header, body) = bytes.split_at_checked(HEADER_BYTES)?;
    let created = i64::from_le_bytes(header[2..10].try_into().ok()?);
    let size = u32::from_le_bytes(header[10..14].try_into().ok()?) as usize;
    if header[0] != VERSION || size > MAX_BYTES {
        return None;
    }
    let value = match header[1] {
        PLAIN => body.to_vec(),
        ZSTD => zstd::bulk::decompress(body, size).ok()?,
        _ => return None,
    };
    (value.len() == size).then_some(Packed { value, created })
}

fn checksum(value: &[u8], created: i64, owner: &[&[u8]]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    for part in owner.iter().copied().chain([&created.to_le_bytes()[..], value]) {
        // Lengths keep neighbours apart.
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OWNER: &[&[u8]] = &[b"key", b"scope"];

    #[test]
    fn large_values_are_compressed_and_small_ones_are_not() {
        let text = "the same words again and again. ".repeat(400);
        let packed = pack(text.as_bytes(), 7, OWNER);
        assert!(packed.len() < text.len() / 10, "{} of {}", packed.len(), text.len());
        let found = unpack(&packed, OWNER).unwrap();
        assert_eq!((found.value, found.created), (text.into_bytes(), 7));
        assert_eq!(pack(b"few", 7, OWNER).len(), HEADER_BYTES + 3);
    }

    #[test]
    fn a_bomb_is_refused() {
        let mut bomb = pack(&vec![0; 1 << 20], 7, OWNER);
        bomb[10..14].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(unpack(&bomb, OWNER), None);
        bomb[10..14].copy_from_slice(&16u32.to_le_bytes());
        assert_eq!(unpack(&bomb, OWNER), None, "it expands beyond its size");
    }

    proptest! {
        #[test]
        fn a_changed_byte_or_another_owner_is_noticed(
            value in proptest::collection::vec(any::<u8>(), 0..3000),
            created: i64,
            at: prop::sample::Index,
            flip in 1u8..,
        ) {
            let packed = pack(&value, created, OWNER);
            prop_assert_eq!(unpack(&packed, OWNER), Some(Packed { value, created }));
            prop_assert_eq!(unpack(&packed, &[b"keys", b"cope"]), None);
            let mut bad = packed.clone();
            let at = at.index(bad.len());
            bad[at] ^= flip;
            prop_assert_eq!(unpack(&bad, OWNER), None);
            prop_assert_eq!(unpack(&packed[..at], OWNER), None);
        }
    }
}
