pub mod error;

pub mod document;
