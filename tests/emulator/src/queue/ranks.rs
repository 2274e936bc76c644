//! The number of jobs ahead in a line, without counting them one by one (a Fenwick tree).

/// Places in the order of their creation. A place can be left and taken again.
#[derive(Default)]
pub(super) struct Ranks {
    /// At `i - 1`: the number of taken places among `i - lowbit(i) .. i`.
    sums: Vec<u32>,
    present: Vec<bool>,
    total: u32,
}

impl Ranks {
    /// Adds a place at the end, which is taken.
    pub(super) fn push(&mut self) -> usize {
        let place = self.sums.len();
        let (index, mut sum) = (place + 1, 0);
        // The subtrees of the new node, whose sums it contains.
        let mut part = 1;
        while part < lowbit(index) {
            sum += self.sums[index - part - 1];
            part <<= 1;
        }
        self.sums.push(sum);
        self.present.push(false);
        self.set(place, true);
        place
    }

    /// Takes a place (`present`) or leaves it.
    pub(super) fn set(&mut self, place: usize, present: bool) {
        let Some(known) = self
            .present
            .get_mut(place)
            .filter(|known| **known != present)
        else {
            return;
        };
        *known = present;
        self.total = if present {
            self.total + 1
        } else {
            self.total - 1
        };
        let mut index = place + 1;
        while index <= self.sums.len() {
            let sum = &mut self.sums[index - 1];
            *sum = if present { *sum + 1 } else { *sum - 1 };
            index += lowbit(index);
        }
    }

    /// The number of taken places before this one.
    pub(super) fn before(&self, place: usize) -> u32 {
        let (mut index, mut sum) = (place, 0);
        while index > 0 {
            sum += self.sums[index - 1];
            index -= lowbit(index);
        }
        sum
    }

    pub(super) fn total(&self) -> u32 {
        self.total
    }
}

fn lowbit(index: usize) -> usize {
    index & index.wrapping_neg()
}

#[cfg(test)]
mod tests {
    use super::Ranks;

    #[test]
    fn ranks_are_those_of_a_plain_count() {
        let mut ranks = Ranks::default();
        let mut plain: Vec<bool> = Vec::new();
        for step in 0_usize..2000 {
            match step * 7919 % 5 {
                0..=2 => {
                    assert_eq!(ranks.push(), plain.len());
                    plain.push(true);
                }
                kind => {
                    let place = step * 104_729 % plain.len().max(1);
                    ranks.set(place, kind == 3);
                    if let Some(known) = plain.get_mut(place) {
                        *known = kind == 3;
                    }
                }
            }
            let place = step * 31 % (plain.len() + 1);
            let count = |places: &[bool]| places.iter().filter(|present| **present).count() as u32;
            assert_eq!(ranks.before(place), count(&plain[..place]), "{step}");
            assert_eq!(ranks.total(), count(&plain), "{step}");
        }
    }
}
