//! The settings of a topic: which there are, what they may be, and what they mean.

use std::collections::BTreeMap;

use crate::log::compaction;
use crate::log::segments::Rolling;

/// What kind of value a setting has; the numbers are the protocol's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Boolean,
    Text(&'static [&'static str]),
    Int(i64),
    Long(i64),
    Ratio,
    List(&'static [&'static str]),
}

impl Kind {
    /// Its number in the answer to `DescribeConfigs`.
    pub(crate) fn number(self) -> i8 {
        match self {
            Self::Boolean => 1,
            Self::Text(_) => 2,
            Self::Int(_) => 3,
            Self::Long(_) => 5,
            Self::Ratio => 6,
            Self::List(_) => 7,
        }
    }

    fn allows(self, value: &str) -> bool {
        let number = |least: i64, most: i64| {
            value
                .trim()
                .parse::<i64>()
                .is_ok_and(|n| (least..=most).contains(&n))
        };
        match self {
            Self::Boolean => matches!(value.trim(), "true" | "false"),
            Self::Text(words) => words.is_empty() || words.contains(&value.trim()),
            Self::Int(least) => number(least, i64::from(i32::MAX)),
            Self::Long(least) => number(least, i64::MAX),
            Self::Ratio => value
                .trim()
                .parse()
                .is_ok_and(|n: f64| (0.0..=1.0).contains(&n)),
            Self::List(words) => {
                words.is_empty() || value.split(',').all(|word| words.contains(&word.trim()))
            }
        }
    }
}

/// A setting that a topic can have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    pub(crate) name: &'static str,
    pub(crate) default: &'static str,
    pub(crate) kind: Kind,
}

const FOREVER: &str = "9223372036854775807";
const CODECS: &[&str] = &["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"];

const fn setting(name: &'static str, default: &'static str, kind: Kind) -> Setting {
    Setting {
        name,
        default,
        kind,
    }
}

/// All of them, as Apache Kafka 4.3 has them. Those about disks and copies are kept and shown, and
/// change nothing.
pub(crate) const SETTINGS: &[Setting] = &[
    setting(
        "cleanup.policy",
        "delete",
        Kind::List(&["compact", "delete"]),
    ),
    setting("compression.gzip.level", "-1", Kind::Int(-1)),
    setting("compression.lz4.level", "9", Kind::Int(1)),
    setting("compression.type", "producer", Kind::Text(CODECS)),
    setting("compression.zstd.level", "3", Kind::Int(-131_072)),
    setting("delete.retention.ms", "86400000", Kind::Long(0)),
    setting("file.delete.delay.ms", "60000", Kind::Long(0)),
    setting("flush.messages", FOREVER, Kind::Long(1)),
    setting("flush.ms", FOREVER, Kind::Long(0)),
    setting(
        "follower.replication.throttled.replicas",
        "",
        Kind::List(&[]),
    ),
    setting("index.interval.bytes", "4096", Kind::Int(0)),
    setting("leader.replication.throttled.replicas", "", Kind::List(&[])),
    setting("local.retention.bytes", "-2", Kind::Long(-2)),
    setting("local.retention.ms", "-2", Kind::Long(-2)),
    setting("max.compaction.lag.ms", FOREVER, Kind::Long(1)),
    setting("max.message.bytes", "1048588", Kind::Int(0)),
    setting("message.timestamp.after.max.ms", "3600000", Kind::Long(0)),
    setting("message.timestamp.before.max.ms", FOREVER, Kind::Long(0)),
    setting(
        "message.timestamp.type",
        "CreateTime",
        Kind::Text(&["CreateTime", "LogAppendTime"]),
    ),
    setting("min.cleanable.dirty.ratio", "0.5", Kind::Ratio),
    setting("min.compaction.lag.ms", "0", Kind::Long(0)),
    setting("min.insync.replicas", "1", Kind::Int(1)),
    setting("preallocate", "false", Kind::Boolean),
    setting("remote.log.copy.disable", "false", Kind::Boolean),
    setting("remote.log.delete.on.disable", "false", Kind::Boolean),
    setting("remote.storage.enable", "false", Kind::Boolean),
    setting("retention.bytes", "-1", Kind::Long(-1)),
    setting("retention.ms", "604800000", Kind::Long(-1)),
    setting("segment.bytes", "1073741824", Kind::Int(14)),
    setting("segment.index.bytes", "10485760", Kind::Int(4)),
    setting("segment.jitter.ms", "0", Kind::Long(0)),
    setting("segment.ms", "604800000", Kind::Long(1)),
    setting("unclean.leader.election.enable", "false", Kind::Boolean),
];

/// The setting of that name.
pub(crate) fn find(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name == name)
}

/// Why settings are refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Invalid {
    #[error("there is no topic setting `{0}`")]
    Unknown(String),
    #[error("`{value}` is no value for `{name}`")]
    Value { name: String, value: String },
    #[error("`{0}` is no list: its values cannot be added or taken away one by one")]
    NotAList(String),
}

/// The settings of one topic.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    own: BTreeMap<String, String>,
    rules: Rules,
}

/// What the settings mean.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) is_compacted: bool,
    /// Whether old records are deleted.
    pub(crate) expires: bool,
    pub(crate) retention_ms: i64,
    pub(crate) retention_bytes: i64,
    pub(crate) max_message_bytes: usize,
    /// The broker's clock stamps the records.
    pub(crate) stamps: bool,
    /// How far a record's time may be from the broker's.
    pub(crate) before_max_ms: i64,
    pub(crate) after_max_ms: i64,
    pub(crate) rolling: Rolling,
    pub(crate) compaction: compaction::Policy,
}

impl Config {
    /// Takes settings that differ from the defaults; all of them are checked.
    pub(crate) fn new(own: BTreeMap<String, String>) -> Result<Self, Invalid> {
        for (name, value) in &own {
            let setting = find(name).ok_or_else(|| Invalid::Unknown(name.clone()))?;
            if !setting.kind.allows(value) {
                return Err(Invalid::Value {
                    name: name.clone(),
                    value: value.clone(),
                });
            }
        }
        let rules = Rules::of(&own);
        Ok(Self { own, rules })
    }

    /// The settings that differ from the defaults.
    pub(crate) fn own(&self) -> &BTreeMap<String, String> {
        &self.own
    }

    pub(crate) fn rules(&self) -> &Rules {
        &self.rules
    }
}

impl Rules {
    /// The meaning of settings that were checked.
    fn of(own: &BTreeMap<String, String>) -> Self {
        let text = |name: &str| {
            let default = || find(name).expect("it is in the table").default;
            own.get(name).map_or_else(default, |value| value.trim())
        };
        let number = |name: &str| text(name).parse::<i64>().expect("it was checked");
        let policies = text("cleanup.policy");
        let has = |policy: &str| policies.split(',').any(|word| word.trim() == policy);
        Self {
            is_compacted: has("compact"),
            expires: has("delete"),
            retention_ms: number("retention.ms"),
            retention_bytes: number("retention.bytes"),
            max_message_bytes: usize::try_from(number("max.message.bytes")).expect("not negative"),
            stamps: text("message.timestamp.type") == "LogAppendTime",
            before_max_ms: number("message.timestamp.before.max.ms"),
            after_max_ms: number("message.timestamp.after.max.ms"),
            rolling: Rolling {
                bytes: number("segment.bytes").unsigned_abs(),
                ms: number("segment.ms"),
            },
            compaction: compaction::Policy {
                dirty_ratio: text("min.cleanable.dirty.ratio")
                    .parse()
                    .expect("it was checked"),
                min_lag_ms: number("min.compaction.lag.ms"),
                max_lag_ms: number("max.compaction.lag.ms"),
                delete_retention_ms: number("delete.retention.ms"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn config(pairs: &[(&str, &str)]) -> Result<Config, Invalid> {
        let own = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::new(own.collect())
    }

    #[test]
    fn the_defaults_keep_records_for_a_week_and_compact_nothing() {
        let config = config(&[]).unwrap();
        assert!(config.rules().expires && !config.rules().is_compacted);
        assert_eq!(config.rules().retention_ms, 7 * 24 * 3_600_000);
    }

    #[test]
    fn an_unknown_setting_and_a_bad_value_are_named() {
        let unknown = config(&[("no.such", "1")]).unwrap_err();
        assert_eq!(unknown.to_string(), "there is no topic setting `no.such`");
        let bad = config(&[("retention.ms", "soon")]).unwrap_err();
        assert_eq!(bad.to_string(), "`soon` is no value for `retention.ms`");
        assert!(config(&[("cleanup.policy", "compact,delete")]).is_ok());
    }

    #[test]
    fn every_default_is_a_value_of_its_kind() {
        for setting in SETTINGS {
            assert!(setting.kind.allows(setting.default), "{}", setting.name);
        }
    }
}
