//! Compares two TOML texts that may differ by one change.

use toml::de::{DeTable, DeValue};

/// Returns whether the content of `new` is that of `old` after `change`.
pub(super) fn differ_only_by<'t>(
    old: &'t str,
    new: &str,
    change: impl FnOnce(&mut DeTable<'t>),
) -> bool {
    let (Ok(old), Ok(new)) = (DeTable::parse(old), DeTable::parse(new)) else {
        return false;
    };
    let mut expected = old.into_inner();
    change(&mut expected);
    same_table(&expected, new.get_ref())
}

fn same_table(a: &DeTable<'_>, b: &DeTable<'_>) -> bool {
    a.len() == b.len()
        && a.iter().all(|(name, value)| {
            b.get(name.get_ref().as_ref())
                .is_some_and(|other| same_value(value.get_ref(), other.get_ref()))
        })
}

fn same_value(a: &DeValue<'_>, b: &DeValue<'_>) -> bool {
    match (a, b) {
        (DeValue::String(a), DeValue::String(b)) => a == b,
        (DeValue::Integer(a), DeValue::Integer(b)) => {
            a.as_str() == b.as_str() && a.radix() == b.radix()
        }
        (DeValue::Float(a), DeValue::Float(b)) => a.as_str() == b.as_str(),
        (DeValue::Boolean(a), DeValue::Boolean(b)) => a == b,
        (DeValue::Datetime(a), DeValue::Datetime(b)) => a == b,
        (DeValue::Array(a), DeValue::Array(b)) => {
            a.len() == b.len()
                && a.iter()
                    .zip(b.iter())
                    .all(|(a, b)| same_value(a.get_ref(), b.get_ref()))
        }
        (DeValue::Table(a), DeValue::Table(b)) => same_table(a, b),
        _ => false,
    }
}
