//! How messages are read and written where proto3 JSON leaves a choice.

/// How JSON is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// Fields and enum names that the descriptors do not have are skipped, not refused.
    pub ignore_unknown: bool,
    /// Names of enum values match in any case.
    pub enums_in_any_case: bool,
}

/// How JSON is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WriteOptions {
    /// Enum values as numbers, not by name.
    pub enum_numbers: bool,
    /// Fields by the name they have in the `.proto`, not in camel case.
    pub proto_names: bool,
    /// Fields without presence are written even if they have their default value.
    pub print_unset: bool,
    /// What becomes of an `Any` whose type is not known.
    pub unknown_any: UnknownAny,
}

/// What becomes of an `Any` whose type is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnknownAny {
    /// It is an error, as proto3 JSON has it.
    #[default]
    Refuse,
    /// Its bytes are written in base64 as `value`.
    Base64,
}
