//! Which party may have answered: fal's gateway, its ingress, an app, or something on the way.

use super::context::Responder;
use super::facts::Facts;
use super::table::Named;

impl Facts<'_> {
    /// The title of a page that is nobody's of fal's, where fal itself was asked.
    pub(super) fn foreign_page(&self) -> Option<&str> {
        let page = self
            .page
            .as_ref()
            .filter(|page| self.asked.service && !self.from_gateway && !page.of_ingress)?;
        (self.status >= 400).then_some(&page.title)
    }

    /// Whether it is an app that answered.
    pub(super) fn by_app(&self) -> bool {
        self.asked.whose != Responder::Service && self.marked
    }

    /// Whether a 401 or 429 was provably said before any app was asked.
    pub(super) fn is_before_apps(&self) -> bool {
        match self.asked.whose {
            Responder::Service => true,
            Responder::Queue => !self.marked,
            Responder::App => self.by_gateway() && self.names_fit(),
        }
    }

    /// Whether no name of another status' failure is beside this one.
    pub(super) fn names_fit(&self) -> bool {
        let mut named = self.named.into_iter().chain(self.named_by_header);
        named.all(|row| row.status == 0 || row.status == self.status)
    }

    /// Whether fal's gateway itself says what the answer says: by its id, and without anything of
    /// an app's.
    pub(super) fn by_gateway(&self) -> bool {
        self.from_gateway && !self.marked && self.page.is_none()
    }

    /// Whether fal's gateway says by status, header and body alike that this is what happened.
    pub(super) fn is_proven(&self, row: &Named) -> bool {
        self.by_gateway() && self.names_agree && self.fields.is_empty() && row.status == self.status
    }

    /// Whether a 401 is provably about the credential: it has one of the forms in which fal is
    /// known to refuse one, too. A program that an app calls may have refused the app's.
    pub(super) fn is_credentials(&self) -> bool {
        let known = self.said.is_some_and(|row| row.about.is_of_credential());
        let silent = self.text.is_none() && self.fields.is_empty();
        self.asked.whose == Responder::Service || (self.is_before_apps() && (known || silent))
    }

    /// Whether something in front of fal does not let this machine in.
    pub(super) fn is_edge(&self) -> bool {
        matches!(self.status, 403 | 451)
            && self.asked.service
            && !self.from_gateway
            && !self.is_json
    }
}
