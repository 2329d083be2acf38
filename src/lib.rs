#![doc = include_str!("ARCHITECTURE.md")]

pub mod error;

pub mod config;
pub mod document;
pub mod vector;

pub mod analysis;
pub mod disk;

pub mod http;
pub mod sqlite;

pub mod answer;
pub mod cache;
pub mod index;
pub mod model;
pub mod rank;
pub mod text;

pub mod engine;

pub mod ingest;
pub mod pull;
pub mod search;

pub mod ask;
pub mod evaluate;

pub mod cli;
