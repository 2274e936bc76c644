//! The Platform API as data: which scope each of its operations needs (fal-protocol.md §14.3).

use crate::key::Scope;

const OPERATIONS: &str = include_str!("operations.tsv");

/// The scope that an operation needs. `path` is the address's path and begins with `/v1`.
///
/// `None` where fal names no scope: an unknown operation, or one that needs no key.
pub(crate) fn needed_scope(method: &str, path: &str) -> Option<Scope> {
    let path = path.strip_prefix("/v1")?;
    let rows = OPERATIONS.lines().filter(|line| !line.starts_with('#'));
    let mut fields = rows.map(|row| row.split('\t'));
    let fits = |row: &mut std::str::Split<'_, char>| {
        row.next() == Some(method) && row.next().is_some_and(|template| matches(template, path))
    };
    fields.find_map(|mut row| fits(&mut row).then(|| row.next()?.parse().ok()).flatten())
}

/// Whether a path fits a template; `{name}` stands for one segment.
fn matches(template: &str, path: &str) -> bool {
    let mut template = template.split('/');
    let mut path = path.trim_end_matches('/').split('/');
    loop {
        match (template.next(), path.next()) {
            (None, None) => return true,
            (Some(part), Some(segment)) if part == segment || (part.starts_with('{') && !segment.is_empty()) => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_holds_every_operation() {
        let rows: Vec<_> = OPERATIONS.lines().filter(|line| !line.starts_with('#')).collect();
        let scoped = |scope: &str| rows.iter().filter(|row| row.ends_with(&format!("\t{scope}"))).count();
        assert_eq!((rows.len(), scoped("ADMIN"), scoped("API"), scoped("none")), (82, 17, 64, 1));
    }

    #[test]
    fn an_operation_is_found_by_method_and_path() {
        assert_eq!(needed_scope("GET", "/v1/keys"), Some(Scope::Admin));
        assert_eq!(needed_scope("DELETE", "/v1/keys/fake-id"), Some(Scope::Admin));
        assert_eq!(needed_scope("GET", "/v1/models/"), Some(Scope::Api));
        assert_eq!(needed_scope("GET", "/v1/meta"), None);
        assert_eq!(needed_scope("PUT", "/v1/keys"), None);
        assert_eq!(needed_scope("GET", "/v1/keys/a/b"), None);
        assert_eq!(needed_scope("GET", "/keys"), None);
    }
}
