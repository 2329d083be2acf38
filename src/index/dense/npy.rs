//! The `.npy` header (NumPy Enhancement Proposal 1, version 1.0), for little-endian matrices of
//! float32 and for arrays of codes.

/// Bytes before the first row of a matrix. A multiple of 64, as the format requires, and large
/// enough for any shape.
pub const MATRIX_HEADER_BYTES: usize = 128;

/// Bytes before the first row of an array of codes.
pub const CODES_HEADER_BYTES: usize = 192;

/// Header of a C-ordered `rows` × `dimension` matrix.
pub fn matrix_header(rows: usize, dimension: usize) -> [u8; MATRIX_HEADER_BYTES] {
    header("'<f4'", &format!("({rows}, {dimension})"))
}

/// Header of an array of `rows` records: the scale, the error and the codes of a row.
pub fn codes_header(rows: usize, dimension: usize) -> [u8; CODES_HEADER_BYTES] {
    let record = format!("[('scale', '<f4'), ('error', '<f4'), ('codes', '|i1', ({dimension},))]");
    header(&record, &format!("({rows},)"))
}

fn header<const BYTES: usize>(descr: &str, shape: &str) -> [u8; BYTES] {
    let mut header = [b' '; BYTES];
    let dict = format!("{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}");
    header[..8].copy_from_slice(b"\x93NUMPY\x01\x00");
    header[8..10].copy_from_slice(&(BYTES as u16 - 10).to_le_bytes());
    header[10..10 + dict.len()].copy_from_slice(dict.as_bytes());
    header[BYTES - 1] = b'\n';
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_headers_are_what_numpy_writes() {
        let header = matrix_header(3, 384);
        assert_eq!(&header[..10], b"\x93NUMPY\x01\x00\x76\x00");
        let dict = std::str::from_utf8(&header[10..]).unwrap();
        assert!(dict.starts_with("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 384), } "));
        assert!(dict.ends_with(" \n"));
        let header = codes_header(3, 384);
        assert_eq!(&header[..10], b"\x93NUMPY\x01\x00\xb6\x00");
        let dict = std::str::from_utf8(&header[10..]).unwrap();
        let record = "[('scale', '<f4'), ('error', '<f4'), ('codes', '|i1', (384,))]";
        let start = format!("{{'descr': {record}, 'fortran_order': False, 'shape': (3,), }} ");
        assert!(dict.starts_with(&start), "{dict}");
        assert!(dict.ends_with(" \n"));
    }

    #[test]
    fn the_largest_shape_fits() {
        matrix_header(usize::MAX, usize::MAX);
        codes_header(usize::MAX, usize::MAX);
    }
}
