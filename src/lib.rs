pub mod error;

pub mod config;
pub mod document;
pub mod vector;

pub mod analysis;
pub mod disk;
pub mod sqlite;

pub mod cache;
pub mod index;
pub mod model;
pub mod answer;
