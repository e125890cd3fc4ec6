//! Values of both databases, and statements that are written once for both.

use super::Error;

/// What a column holds or a parameter is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Null,
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// One row of an answer.
#[derive(Clone, Debug)]
pub(super) struct Row(pub(super) Vec<Value>);

impl Row {
    pub(super) fn int(&self, column: usize) -> Result<i64, Error> {
        self.maybe_int(column)?.ok_or_else(|| odd(column, "a number"))
    }

    pub(super) fn maybe_int(&self, column: usize) -> Result<Option<i64>, Error> {
        match self.0.get(column) {
            Some(Value::Int(value)) => Ok(Some(*value)),
            Some(Value::Null) => Ok(None),
            _ => Err(odd(column, "a number")),
        }
    }

    pub(super) fn text(&self, column: usize) -> Result<&str, Error> {
        match self.0.get(column) {
            Some(Value::Text(text)) => Ok(text),
            _ => Err(odd(column, "a text")),
        }
    }

    pub(super) fn maybe_bytes(&self, column: usize) -> Result<Option<&[u8]>, Error> {
        match self.0.get(column) {
            Some(Value::Bytes(bytes)) => Ok(Some(bytes)),
            Some(Value::Null) => Ok(None),
            _ => Err(odd(column, "bytes")),
        }
    }
}

fn odd(column: usize, expected: &str) -> Error {
    Error::Corrupt(format!("column {} of an answer is not {expected}", column + 1))
}

/// What a column of many rows holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Int,
    Text,
    Bytes,
}

/// A column of many rows.
pub(super) enum Column<'a> {
    Int(Vec<i64>),
    Text(Vec<&'a str>),
    Bytes(Vec<&'a [u8]>),
    MaybeBytes(Vec<Option<&'a [u8]>>),
}

impl Column<'_> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Int(values) => values.len(),
            Self::Text(values) => values.len(),
            Self::Bytes(values) => values.len(),
            Self::MaybeBytes(values) => values.len(),
        }
    }
}

/// A statement for many rows at once. SQLite runs it once for each, PostgreSQL once for all, with an array for each column.
pub(super) struct Many {
    pub(super) columns: &'static [(&'static str, Kind)],
    /// `{rows}` stands for the rows to insert, `{v}` for a table `v` of them. Parameters are not named otherwise.
    pub(super) sql: &'static str,
    /// In place of `sql` for SQLite, with `?1` and so on, where it is on the path of every event.
    pub(super) sqlite: Option<&'static str>,
}

/// Whose SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    Sqlite,
    Postgres,
}

impl Dialect {
    /// Parameters are `$1`; what differs otherwise stands in braces.
    pub(super) fn adapt(self, sql: &str) -> String {
        match self {
            Self::Sqlite => sql
                .replace('$', "?")
                .replace("{dimensions}", "dimensions")
                .replace("{json}", "")
                .replace("{for_update}", "")
                .replace("{xid}", "0")
                .replace("{stable}", ""),
            Self::Postgres => sql
                // As the unique index has it.
                .replace("{dimensions}", "md5(dimensions)")
                .replace("{json}", "::json")
                .replace("{for_update}", "FOR UPDATE")
                .replace("{xid}", "xid::text::bigint")
                .replace("{stable}", "AND xid < pg_snapshot_xmin(pg_current_snapshot())"),
        }
    }

    pub(super) fn adapt_many(self, many: &Many) -> String {
        match self {
            Self::Sqlite => {
                if let Some(sql) = many.sqlite {
                    return sql.to_owned();
                }
                let marks: Vec<_> = (1..=many.columns.len()).map(|n| format!("?{n}")).collect();
                let named: Vec<_> = many
                    .columns
                    .iter()
                    .zip(&marks)
                    .map(|((name, _), mark)| format!("{mark} AS {name}"))
                    .collect();
                let sql = many.sql.replace("{rows}", &format!("VALUES ({})", marks.join(", ")));
                self.adapt(&sql.replace("{v}", &format!("(SELECT {}) AS v", named.join(", "))))
            }
            Self::Postgres => {
                let cast = |kind| match kind {
                    Kind::Int => "bigint",
                    Kind::Text => "text",
                    Kind::Bytes => "bytea",
                };
                let arrays = many.columns.iter().enumerate();
                let arrays: Vec<_> =
                    arrays.map(|(i, (_, kind))| format!("${}::{}[]", i + 1, cast(*kind))).collect();
                let unnest = format!("unnest({})", arrays.join(", "));
                let names: Vec<_> = many.columns.iter().map(|(name, _)| *name).collect();
                let sql = many.sql.replace("{rows}", &format!("SELECT * FROM {unnest}"));
                self.adapt(&sql.replace("{v}", &format!("{unnest} AS v({})", names.join(", "))))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANY: Many = Many {
        columns: &[("a", Kind::Text), ("b", Kind::Int)],
        sql: "INSERT INTO t (a, b) {rows} ON CONFLICT (a, {dimensions}) DO NOTHING",
        sqlite: None,
    };

    #[test]
    fn a_statement_is_written_once_for_both() {
        assert_eq!(
            Dialect::Sqlite.adapt_many(&MANY),
            "INSERT INTO t (a, b) VALUES (?1, ?2) ON CONFLICT (a, dimensions) DO NOTHING"
        );
        assert_eq!(
            Dialect::Postgres.adapt_many(&MANY),
            "INSERT INTO t (a, b) SELECT * FROM unnest($1::text[], $2::bigint[]) ON CONFLICT (a, md5(dimensions)) DO NOTHING"
        );
        let find = Many { sql: "SELECT v.a FROM {v}", ..MANY };
        assert_eq!(Dialect::Sqlite.adapt_many(&find), "SELECT v.a FROM (SELECT ?1 AS a, ?2 AS b) AS v");
        assert_eq!(
            Dialect::Postgres.adapt_many(&find),
            "SELECT v.a FROM unnest($1::text[], $2::bigint[]) AS v(a, b)"
        );
    }
}
