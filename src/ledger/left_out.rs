//! PostgreSQL in a build without the feature `cluster`: it is never opened.

use super::value::{Migration, Param, Row, Status};
use crate::config::Database;
use crate::error::{Fault, Result};

/// Never constructed.
pub enum Postgres {}

/// Never constructed.
pub enum Transaction {}

impl Transaction {
    /// # Errors
    /// Never: there is no such transaction.
    pub fn query(&mut self, _: &str, _: &[Param]) -> Result<Vec<Row>> {
        match *self {}
    }

    /// # Errors
    /// Never: there is no such transaction.
    pub fn execute(&mut self, _: &str, _: &[Param]) -> Result<u64> {
        match *self {}
    }
}

impl Postgres {
    /// # Errors
    /// Always.
    pub fn open(_: &Database) -> Result<Self> {
        Err(Fault::left_out("cluster"))
    }

    /// # Errors
    /// Never: there is no such database.
    pub fn query(&self, _: &str, _: &[Param]) -> Result<Vec<Row>> {
        match *self {}
    }

    /// # Errors
    /// Never: there is no such database.
    pub fn execute(&self, _: &str, _: &[Param]) -> Result<u64> {
        match *self {}
    }

    /// # Errors
    /// Never: there is no such database.
    pub fn transaction<T>(&self, _: impl FnMut(&mut Transaction) -> Result<T>) -> Result<T> {
        match *self {}
    }

    /// # Errors
    /// Never: there is no such database.
    pub fn brief_transaction<T>(&self, _: impl FnMut(&mut Transaction) -> Result<T>) -> Result<T> {
        match *self {}
    }

    /// # Errors
    /// Never: there is no such database.
    pub fn migrate(&self) -> Result<Migration> {
        match *self {}
    }

    /// # Errors
    /// Never: there is no such database.
    pub fn ensure_days(&self, _: &[i64]) -> Result<()> {
        match *self {}
    }

    /// # Errors
    /// Never: there is no such database.
    pub fn drop_days_before(&self, _: i64) -> Result<u64> {
        match *self {}
    }

    /// # Errors
    /// Never: there is no such database.
    pub fn check(&self) -> Result<String> {
        match *self {}
    }

    pub fn status(&self) -> Status {
        match *self {}
    }
}
