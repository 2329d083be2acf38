pub mod error;

pub mod document;

pub mod analysis;
