//! Redis in a build without the feature `cluster`: it is never opened.

use super::command::{Command, Reply, Status, Value};
use super::hint::Hint;
use crate::config::SharedStore;
use crate::error::{Fault, Result};

/// Never constructed.
#[derive(Debug)]
pub enum Redis {}

impl Redis {
    /// # Errors
    /// Always.
    pub fn open(_: &SharedStore, _: Option<u64>) -> Result<Self> {
        Err(Fault::left_out("cluster"))
    }

    pub fn key(&self, _: &[&str]) -> String {
        match *self {}
    }

    /// # Errors
    /// Never: there is no such store.
    pub fn run(&self, _: &[Command]) -> Reply<Vec<Value>> {
        match *self {}
    }

    /// # Errors
    /// Never: there is no such store.
    pub fn one(&self, _: Command) -> Reply<Value> {
        match *self {}
    }

    /// # Errors
    /// Never: there is no such store.
    pub fn remove_all(&self, _: &str) -> Reply<u64> {
        match *self {}
    }

    /// # Errors
    /// Never: there is no such store.
    pub fn remove_chosen(&self, _: &str, _: &dyn Fn(&[u8]) -> bool) -> Reply<u64> {
        match *self {}
    }

    pub fn announce(&self, _: Hint) {
        match *self {}
    }

    pub fn hear(&self, _: &mut dyn FnMut(Hint), _: &dyn Fn() -> bool) {
        match *self {}
    }

    /// # Errors
    /// Never: there is no such store.
    pub fn check(&self) -> Result<String> {
        match *self {}
    }

    pub fn is_slow(&self) -> bool {
        match *self {}
    }

    pub fn status(&self) -> Status {
        match *self {}
    }
}
