//! Whether two TOML texts say the same but for one change.

use std::borrow::Cow;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::edit::Edit;

/// Whether `new` is what `old` becomes by the change.
pub(super) fn differ_only_by(old: &str, new: &str, change: &Edit<'_>) -> bool {
    let (Ok(old), Ok(new)) = (DeTable::parse(old), DeTable::parse(new)) else {
        return false;
    };
    let mut expected = old.into_inner();
    make(&mut expected, change);
    same_table(&expected, new.get_ref())
}

fn make<'t>(root: &mut DeTable<'t>, change: &Edit<'t>) {
    match *change {
        Edit::Set {
            table,
            member,
            value,
        } => {
            let entry = root.entry(unplaced(Cow::Borrowed(table)));
            let table = entry.or_insert_with(|| unplaced(DeValue::Table(DeTable::new())));
            if let DeValue::Table(members) = table.get_mut() {
                members.insert(
                    unplaced(Cow::Borrowed(member)),
                    unplaced(DeValue::String(Cow::Borrowed(value))),
                );
            }
        }
        Edit::Unset { table, member } => {
            if let Some(DeValue::Table(members)) = root.get_mut(table).map(Spanned::get_mut) {
                members.remove(member);
            }
        }
        Edit::DropEmpty { table } => {
            if matches!(root.get(table).map(Spanned::get_ref), Some(DeValue::Table(members)) if members.is_empty())
            {
                root.remove(table);
            }
        }
    }
}

fn unplaced<T>(value: T) -> Spanned<T> {
    Spanned::new(0..0, value)
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
