//! Questions as the user gives them: words of the command line, a file, or standard input.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use crate::disk;
use crate::error::{Context as _, Fault, Result};

/// Longer questions are refused. Far beyond what a model reads.
const MAX_BYTES: u64 = 1 << 20;

/// The words joined by spaces; standard input if the only word is `-`.
///
/// # Errors
/// A usage fault for an input that is too long or not UTF-8; a failure to read it.
pub fn question(words: &[String]) -> Result<String> {
    match words {
        [word] if word == "-" => read(std::io::stdin().lock()),
        words => Ok(words.join(" ")),
    }
}

fn read(input: impl Read) -> Result<String> {
    let mut bytes = Vec::new();
    input
        .take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .or_failed(|| "cannot read the question from standard input".into())?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(Fault::usage("the question on standard input is longer than 1 MiB")
            .hint("use `rag ask --batch -` for many questions, one per line"));
    }
    let text = String::from_utf8(bytes)
        .map_err(|_| Fault::usage("the question on standard input is not valid UTF-8"))?;
    Ok(text.trim().to_owned())
}

/// A file of questions; standard input for `-`.
pub fn questions(file: &Path) -> Result<Box<dyn BufRead + Send>> {
    if file == Path::new("-") {
        return Ok(Box::new(BufReader::new(std::io::stdin())));
    }
    Ok(Box::new(BufReader::new(disk::given_file(file)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(words: &[&str]) -> String {
        question(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn words_are_joined_by_spaces() {
        assert_eq!(joined(&["What", "is", "a", "chunk?"]), "What is a chunk?");
        assert_eq!(joined(&["What is a chunk?"]), "What is a chunk?");
        // Quotes that the shell kept are those of an exact phrase.
        assert_eq!(joined(&["\"commit point\"", "file"]), "\"commit point\" file");
        assert_eq!(joined(&["a", "-", "b"]), "a - b");
    }

    #[test]
    fn standard_input_is_read_to_its_end_up_to_a_limit() {
        assert_eq!(read(&b"What is\na chunk?\n"[..]).unwrap(), "What is\na chunk?");
        assert_eq!(read(&b""[..]).unwrap(), "");
        assert!(read(&b"\xff\xfe"[..]).unwrap_err().to_string().contains("not valid UTF-8"));
        assert!(read(std::io::repeat(b'a')).unwrap_err().to_string().contains("longer than 1 MiB"));
    }
}
