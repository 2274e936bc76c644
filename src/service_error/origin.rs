//! Which party may have sent a response: fal's gateway, its ingress, an app, or something between
//! this machine and fal.

use super::context::Responder;
use super::facts::Facts;
use super::table::Named;

impl Facts<'_> {
    /// Returns the title of an HTML page that is not from fal, although the request went to fal.
    pub(super) fn foreign_page(&self) -> Option<&str> {
        let page = self
            .page
            .as_ref()
            .filter(|page| self.asked.service && !self.from_gateway && !page.of_ingress)?;
        (self.status >= 400).then_some(&page.title)
    }

    /// Whether an app sent the response.
    pub(super) fn by_app(&self) -> bool {
        self.asked.whose != Responder::Service && self.marked
    }

    /// Whether a 401 or 429 was provably sent before the request reached an app.
    pub(super) fn is_before_apps(&self) -> bool {
        match self.asked.whose {
            Responder::Service => true,
            Responder::Queue => !self.marked,
            Responder::App => self.by_gateway() && self.names_fit(),
        }
    }

    /// Whether each name in the response fits its status.
    pub(super) fn names_fit(&self) -> bool {
        let mut named = self.named.into_iter().chain(self.named_by_header);
        named.all(|row| row.status == 0 || row.status == self.status)
    }

    /// Whether the response is from fal's gateway: it has fal's request id and nothing of an app.
    pub(super) fn by_gateway(&self) -> bool {
        self.from_gateway && !self.marked && self.page.is_none()
    }

    /// Whether the error of this row is proven: fal's gateway states it by status, header and body.
    pub(super) fn is_proven(&self, row: &Named) -> bool {
        self.by_gateway() && self.names_agree && self.fields.is_empty() && row.status == self.status
    }

    /// Whether a 401 is provably about the credential: fal sent it, in one of the forms in which
    /// fal is known to refuse credentials. Otherwise a service that an app calls may have refused
    /// the credential of the app.
    pub(super) fn is_credentials(&self) -> bool {
        let known = self.said.is_some_and(|row| row.about.is_of_credential());
        let silent = self.text.is_none() && self.fields.is_empty();
        self.asked.whose == Responder::Service || (self.is_before_apps() && (known || silent))
    }

    /// Whether something in front of fal refused this machine.
    pub(super) fn is_edge(&self) -> bool {
        matches!(self.status, 403 | 451)
            && self.asked.service
            && !self.from_gateway
            && !self.is_json
    }
}
