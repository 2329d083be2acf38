//! The `.npy` header (NumPy Enhancement Proposal 1, version 1.0), for little-endian float32
//! matrices only.

/// Bytes before the first row. A multiple of 64, as the format requires, and large enough for any
/// shape.
pub const HEADER_BYTES: usize = 128;

/// Header of a C-ordered `rows` × `dimension` matrix.
pub fn header(rows: usize, dimension: usize) -> [u8; HEADER_BYTES] {
    let mut header = [b' '; HEADER_BYTES];
    let dict =
        format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {dimension}), }}");
    header[..8].copy_from_slice(b"\x93NUMPY\x01\x00");
    header[8..10].copy_from_slice(&(HEADER_BYTES as u16 - 10).to_le_bytes());
    header[10..10 + dict.len()].copy_from_slice(dict.as_bytes());
    header[HEADER_BYTES - 1] = b'\n';
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_what_numpy_writes() {
        let header = header(3, 384);
        assert_eq!(&header[..10], b"\x93NUMPY\x01\x00\x76\x00");
        let dict = std::str::from_utf8(&header[10..]).unwrap();
        assert!(dict.starts_with("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 384), } "));
        assert!(dict.ends_with(" \n"));
    }

    #[test]
    fn the_largest_shape_fits() {
        header(usize::MAX, usize::MAX);
    }
}
