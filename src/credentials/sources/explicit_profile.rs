//! The profile that the caller named.

use super::profile;
use super::{Context, Finding, Source};

pub(crate) const SOURCE: Source = Source {
    name: "explicit profile",
    skippable: false,
    read,
};

fn read(context: &Context<'_>) -> Finding {
    match context.options.profile_name() {
        None => Finding::absent(),
        Some(name) => profile::asked_for(context, name),
    }
}
