//! Language models with a name: tables `llm.NAME` of a configuration file.
//!
//! A table has the settings of `llm`; what it lacks is as in `llm` itself. With an address of its
//! own it does not take the key of `llm`: a key is sent only where the user said.

use super::check::is_name;
use super::setting::Setting;
use super::settings::SETTINGS;

/// What a table may not set.
const OF_ALL: [&str; 2] = ["llm.name", "llm.warm_minutes"];

impl Setting {
    /// The setting of a key, which may be that of a named language model.
    pub fn of_key(key: &str) -> Option<&'static Self> {
        Self::find(key).or_else(|| Self::of_language_model(key).map(|(_, setting)| setting))
    }

    /// The name and the setting of a key such as `llm.fast.model`.
    pub fn of_language_model(key: &str) -> Option<(&str, &'static Self)> {
        let (name, field) = key.strip_prefix("llm.")?.rsplit_once('.')?;
        let is_of_llm = |setting: &&Self| {
            setting.key.strip_prefix("llm.") == Some(field) && !OF_ALL.contains(&setting.key)
        };
        Some((name, SETTINGS.iter().find(is_of_llm)?)).filter(|_| is_name(name))
    }
}
