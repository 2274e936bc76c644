//! fal's id of a request, stored without an allocation: every operation has one, and few hosts ask.

/// An id of fal has 36 bytes.
const SHORT: usize = 48;

pub(super) enum RequestId {
    Short([u8; SHORT], usize),
    Long(Box<str>),
}

impl RequestId {
    pub(super) fn new(id: &str) -> Self {
        let mut bytes = [0; SHORT];
        match bytes.get_mut(..id.len()) {
            Some(place) => {
                place.copy_from_slice(id.as_bytes());
                RequestId::Short(bytes, id.len())
            }
            None => RequestId::Long(id.into()),
        }
    }

    pub(super) fn as_str(&self) -> &str {
        match self {
            RequestId::Short(bytes, len) => {
                let id = bytes.get(..*len).unwrap_or_default();
                std::str::from_utf8(id).unwrap_or_default()
            }
            RequestId::Long(id) => id,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_of_any_length_comes_back() {
        for len in [0, 1, 36, SHORT, SHORT + 1, 1000] {
            let id = "é".repeat(len / 2) + &"x".repeat(len % 2);
            assert_eq!(RequestId::new(&id).as_str(), id);
        }
    }
}
