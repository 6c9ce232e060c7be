//! The pages, as HTML without scripts. Data are values, never source, and are escaped and on one line; the style is the only thing that the
//! content security policy allows, by its digest.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minijinja::Environment;
use minijinja::value::{Serde, Value as Data};
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};

use crate::adapters::mail::templates::{environment, make_inert};

const SOURCES: [(&str, &str); 4] = [
    ("layout.html", include_str!("../../config/templates/pages/layout.html")),
    ("sign_in.html", include_str!("../../config/templates/pages/sign_in.html")),
    ("claim.html", include_str!("../../config/templates/pages/claim.html")),
    ("message.html", include_str!("../../config/templates/pages/message.html")),
];
const STYLE: &str = include_str!("../../config/templates/pages/style.css");

/// A page can't be made.
#[derive(Debug, thiserror::Error)]
#[error("a page can't be made: {0}")]
pub struct PageError(#[from] minijinja::Error);

/// Which page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// Address and code.
    SignIn,
    /// A claim, with what may be decided.
    Claim,
    /// A few words.
    Message,
}

impl Page {
    const fn template(self) -> &'static str {
        match self {
            Self::SignIn => "sign_in.html",
            Self::Claim => "claim.html",
            Self::Message => "message.html",
        }
    }
}

/// Makes pages.
#[derive(Debug)]
pub struct Pages {
    environment: Environment<'static>,
    policy: String,
}

impl Pages {
    /// The built-in ones.
    ///
    /// # Errors
    /// [`PageError`]: a template is wrong.
    pub fn load() -> Result<Self, PageError> {
        let mut environment = environment();
        for (name, source) in SOURCES {
            environment.add_template(name, source)?;
        }
        let style = STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
        let policy = format!("default-src 'none'; style-src 'sha256-{style}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'");
        Ok(Self { environment, policy })
    }

    /// The content security policy of all pages.
    #[must_use]
    pub fn policy(&self) -> &str {
        &self.policy
    }

    /// A page as HTML. `place` is the path of the claim, made by us; `data` is anybody's.
    ///
    /// # Errors
    /// [`PageError`].
    pub fn render(&self, page: Page, place: &str, mut data: Json) -> Result<String, PageError> {
        make_inert(&mut data);
        let all = json!({ "place": place, "style": STYLE, "data": data });
        Ok(self.environment.get_template(page.template())?.render(Data::from(Serde(&all)))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_are_inert() {
        let pages = Pages::load().expect("the pages are good");
        let data = json!({ "title": "<script>alert(1)</script>", "text": "\" onload='x' \u{202E}{{ 7*7 }}\r\nSet-Cookie: a=b", "again": true });
        let html = pages.render(Page::Message, "/approvals/CL-1", data).expect("a page");
        assert!(!html.contains("<script") && html.contains("&lt;script&gt;"), "{html}");
        assert!(!html.contains("onload='") && !html.contains('\u{202E}') && html.contains("{{ 7*7 }}"), "{html}");
        assert!(html.contains("<style>") && html.contains(STYLE), "the style is what its digest is of");
        assert!(html.starts_with("<!doctype html>") && html.contains("width=device-width"));
    }

    #[test]
    fn the_policy_allows_no_script_and_no_other_style() {
        let policy = Pages::load().expect("the pages are good").policy().to_owned();
        assert!(policy.starts_with("default-src 'none'; ") && !policy.contains("unsafe") && !policy.contains("script-src"), "{policy}");
        assert!(!STYLE.contains("url(") && !STYLE.contains("@import") && !STYLE.contains('<'));
    }
}
