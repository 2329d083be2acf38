//! Fusion of rankings, rerank scores, and one hit per place. Pure: scores in, order out.

mod blend;
mod diversify;
mod fuse;
#[cfg(test)]
mod tests;

pub use blend::blend;
pub use diversify::{Candidate, Verdict, one_per_place};
pub use fuse::{Candidates, Dense, Fused, Fusion, Head, Lexical, fuse, zero};
