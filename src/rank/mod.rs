//! Fusion of rankings, rerank scores, and one hit per place. Pure: scores in, order out.

mod diversify;
mod fuse;
mod maxsim;
#[cfg(test)]
mod tests;

pub use diversify::{Candidate, Verdict, one_per_place};
pub use fuse::{Candidates, Dense, Fused, Fusion, Head, Lexical, fuse};
pub use maxsim::{LATE_VERSION, blend, late_interaction};
