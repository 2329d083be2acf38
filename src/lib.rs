#![doc = include_str!("ARCHITECTURE.md")]
#![cfg_attr(
    test,
    allow(
        clippy::disallowed_methods,
        clippy::print_stderr,
        clippy::print_stdout,
        clippy::string_slice,
        clippy::unwrap_used,
        reason = "tests write files, read the environment, slice known text, and print what they \
             skip"
    )
)]

pub mod strings;

pub mod dates;
pub mod error;
pub mod naming;

pub mod config;
pub mod document;
pub mod filter;
pub mod vector;

pub mod analysis;
pub mod disk;
pub mod telemetry;

pub mod http;
pub mod ledger;
pub mod shared;
pub mod sqlite;
pub mod state;
pub mod watch;

pub mod depot;
pub mod nearest;

pub mod analytics;
pub mod answer;
pub mod cache;
pub mod index;
pub mod jobs;
pub mod llm;
pub mod model;
pub mod rank;
pub mod sessions;
pub mod sites;
pub mod text;
pub mod tokens;

pub mod engine;

pub mod documents;
pub mod ingest;
pub mod pull;
pub mod search;

pub mod ask;
pub mod work;

pub mod batch;
pub mod follow;
pub mod observe;

pub mod evaluate;

pub mod service;
pub mod wire;

#[cfg_attr(not(feature = "mcp"), path = "mcp/left_out.rs")]
pub mod mcp;

#[cfg_attr(not(feature = "serve"), path = "serve/left_out.rs")]
pub mod serve;

pub mod cli;
