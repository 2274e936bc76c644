//! Why an account is locked (docs/protocol.md §2.5).

/// The reason that fal gives for locking an account. The key itself is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LockReason {
    /// The prepaid balance is used up.
    Balance,
    /// The account has no payment method.
    PaymentMethod,
    /// The budget that the user set for the account is used up.
    Budget,
    /// fal locked it.
    Admin,
    /// The account was archived.
    Archived,
    /// fal gives no reason, or one that this version of libfal does not know. The error's message
    /// has the text.
    Unknown,
}

struct Row {
    reason: LockReason,
    name: &'static str,
    /// The beginning of fal's text, in lower case (docs/protocol.md §2.5).
    begins: &'static str,
    remedy: &'static str,
}

const fn row(
    reason: LockReason,
    name: &'static str,
    begins: &'static str,
    remedy: &'static str,
) -> Row {
    Row {
        reason,
        name,
        begins,
        remedy,
    }
}

const TOP_UP: &str = "Top up the balance at https://fal.ai/dashboard/billing; the key is good. If the balance is positive, the lock was not \
     lifted: write to support@fal.ai with the request id.";

/// The text of fal before the reason.
const LOCKED: &str = "User is locked";

#[rustfmt::skip]
static REASONS: [Row; 7] = [
    row(LockReason::Balance, "balance", "exhausted balance", TOP_UP),
    row(LockReason::Balance, "balance", "top_up", TOP_UP),
    row(LockReason::PaymentMethod, "payment_method", "please add a payment method", "Add a payment method at https://fal.ai/dashboard/billing; the key is good."),
    row(LockReason::Budget, "budget", "user budget is exceeded", "Raise the budget at https://fal.ai/dashboard/billing; the key is good."),
    row(LockReason::Admin, "admin", "admin lock", "Write to support@fal.ai: fal locked this account. The key is good; billing is at https://fal.ai/dashboard/billing."),
    row(LockReason::Archived, "archived", "this account has been archived", "Write to support@fal.ai, or use a key of another account."),
    row(LockReason::Unknown, "unknown", "", "Look at https://fal.ai/dashboard/billing. If nothing is wrong there, write to support@fal.ai with the request id."),
];

impl LockReason {
    /// Returns `balance`, `payment_method`, `budget`, `admin`, `archived` or `unknown`.
    pub fn as_str(self) -> &'static str {
        self.row().name
    }

    pub(crate) fn remedy(self) -> &'static str {
        self.row().remedy
    }

    /// Reads the reason from the text of a refusal. `None`: the text is not about a locked account.
    pub(crate) fn of(text: &str) -> Option<LockReason> {
        let (_, rest) = text.split_once(LOCKED)?;
        let reason = rest
            .split_once("Reason:")
            .map_or("", |(_, reason)| reason)
            .trim()
            .to_ascii_lowercase();
        REASONS
            .iter()
            .find(|row| reason.starts_with(row.begins))
            .map(|row| row.reason)
    }

    fn row(self) -> &'static Row {
        REASONS
            .iter()
            .find(|row| row.reason == self)
            .unwrap_or(&REASONS[6])
    }
}

impl std::fmt::Display for LockReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_official_reason_is_known() {
        for (text, reason) in [
            (
                "Exhausted balance. Top up your balance at fal.ai/dashboard/billing",
                LockReason::Balance,
            ),
            (
                "Please add a payment method at fal.ai/dashboard/billing",
                LockReason::PaymentMethod,
            ),
            (
                "User budget is exceeded. Adjust it at fal.ai/dashboard/billing",
                LockReason::Budget,
            ),
            (
                "Admin lock. Please contact hello@fal.ai.",
                LockReason::Admin,
            ),
            (
                "This account has been archived. Please contact hello@fal.ai.",
                LockReason::Archived,
            ),
            (
                "This account has been archived. Please contact support@fal.ai.",
                LockReason::Archived,
            ),
            ("TOP_UP.", LockReason::Balance),
            ("Unknown. Please contact hello@fal.ai.", LockReason::Unknown),
            ("Something new.", LockReason::Unknown),
        ] {
            assert_eq!(
                LockReason::of(&format!("User is locked. Reason: {text}")),
                Some(reason),
                "{text}"
            );
        }
        assert_eq!(LockReason::of("User is locked."), Some(LockReason::Unknown));
        assert_eq!(LockReason::of("invalid key credentials"), None);
    }
}
