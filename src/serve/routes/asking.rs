//! What bodies of questions have in common.

use super::Error;
use crate::answer::Intent;
use crate::cache::Caching;
use crate::config::{Generator, Mode};
use crate::filter::Filter;
use crate::serve::access::Scope;
use crate::serve::error::Result;
use crate::serve::guard::Allowed;
use crate::service::Priority;

/// As for the setting `search.k`.
const MAX_K: usize = 1000;

/// What a name stands for.
pub fn named<T>(
    what: &str,
    name: Option<&str>,
    names: impl Iterator<Item = &'static str>,
    of: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>> {
    let Some(name) = name else { return Ok(None) };
    let names: Vec<&str> = names.collect();
    let unknown =
        || Error::usage(format!("there is no {what} of that name")).hint(format!("one of {}", names.join(", ")));
    of(name).map(Some).ok_or_else(unknown)
}

pub fn intent(name: Option<&str>) -> Result<Option<Intent>> {
    named("intent", name, Intent::ALL.iter().map(|intent| intent.name()), Intent::from_name)
}

pub fn generator(name: Option<&str>) -> Result<Option<Generator>> {
    let all = [Generator::Extractive, Generator::Llm];
    named("generator", name, all.iter().map(|generator| generator.name()), |name| {
        all.into_iter().find(|generator| generator.name() == name)
    })
}

pub fn mode(name: Option<&str>) -> Result<Option<Mode>> {
    named("mode", name, Mode::ALL.iter().map(|mode| mode.name()), Mode::parse)
}

/// Normal when none is named. What is more urgent goes before the work of others and may push it out of a full line, so it
/// takes the scope admin.
pub fn priority(name: Option<&str>, allowed: Allowed) -> Result<Priority> {
    let found = named("priority", name, Priority::ALL.iter().map(|priority| priority.name()), |name| {
        Priority::ALL.into_iter().find(|priority| priority.name() == name)
    });
    let priority = found?.unwrap_or(Priority::Normal);
    if priority < Priority::Normal && allowed.scope < Scope::Admin {
        let what = format!("the priority {} needs a token with the scope admin", priority.name());
        return Err(Error::forbidden(what).hint("leave `priority` out, or send normal, low or background"));
    }
    Ok(priority)
}

pub fn k(k: Option<usize>) -> Result<Option<usize>> {
    match k {
        Some(n) if !(1..=MAX_K).contains(&n) => Err(Error::usage(format!("k must be from 1 to {MAX_K}"))),
        k => Ok(k),
    }
}

pub fn filter(text: Option<&str>) -> Result<Option<Filter>> {
    Ok(text.map(Filter::parse).transpose()?)
}

pub fn caching(use_cache: Option<bool>, refresh: bool) -> Caching {
    match (use_cache.unwrap_or(true), refresh) {
        (false, _) => Caching::Off,
        (true, true) => Caching::Refresh,
        (true, false) => Caching::Use,
    }
}
