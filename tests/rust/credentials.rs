//! Where a key comes from.
