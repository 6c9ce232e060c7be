//! Somebody with a browser that runs no scripts: keeps cookies, follows links and sends forms, and nothing more.

use std::collections::BTreeMap;

use reqwest::{Client, Method, redirect};

use crate::wait;
use crate::world::{RUNTIME, World};

/// A page as it was answered.
#[derive(Debug, Clone)]
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) text: String,
}

impl Page {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The value of a hidden field.
    pub(crate) fn hidden(&self, name: &str) -> String {
        let before = format!("<input type=\"hidden\" name=\"{name}\" value=\"");
        let rest = self.text.split(&before).nth(1).unwrap_or_else(|| panic!("no field {name} in {}", self.text));
        rest.split('"').next().expect("it ends").to_owned()
    }

    pub(crate) fn has_form(&self) -> bool {
        self.text.contains("name=\"decision\"")
    }
}

pub(crate) struct Visitor<'a> {
    world: &'a World,
    pub(crate) person: &'static str,
    pub(crate) cookies: BTreeMap<String, String>,
    /// What its session's forms carry.
    pub(crate) form: String,
    /// Sent with every request.
    pub(crate) headers: Vec<(&'static str, String)>,
}

impl<'a> Visitor<'a> {
    pub(crate) fn new(world: &'a World, person: &'static str) -> Self {
        Self { world, person, cookies: BTreeMap::new(), form: String::new(), headers: Vec::new() }
    }

    pub(crate) fn ask(&mut self, method: &str, path: &str, fields: &[(&str, &str)]) -> Page {
        let url = if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.world.url()) };
        // Only the first of a process is the one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().redirect(redirect::Policy::none()).build().expect("a client");
        let method: Method = method.parse().expect("a method");
        let mut request = client.request(method.clone(), url);
        if !self.cookies.is_empty() {
            let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header("cookie", cookies.join("; "));
        }
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        if method == Method::POST {
            let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
            request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
        }
        let page = RUNTIME.block_on(async {
            let response = request.send().await.expect("an answer");
            let status = response.status().as_u16();
            let text = |value: &reqwest::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
            let headers = response.headers().iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
            Page { status, headers, text: response.text().await.expect("text") }
        });
        for (_, cookie) in page.headers.iter().filter(|(name, _)| name == "set-cookie") {
            let (pair, rest) = cookie.split_once(';').expect("attributes");
            let (name, value) = pair.split_once('=').expect("a value");
            assert!(rest.contains("HttpOnly") && rest.contains("SameSite=Strict") && rest.contains("Path=/approvals"), "{cookie}");
            assert!(!rest.contains("Secure"), "this address has no TLS: {cookie}");
            if rest.contains("Max-Age=0") {
                self.cookies.remove(name)
            } else {
                self.cookies.insert(name.into(), value.into())
            };
        }
        page
    }

    pub(crate) fn get(&mut self, path: &str) -> Page {
        self.ask("GET", path, &[])
    }

    pub(crate) fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        self.ask("POST", path, fields)
    }

    pub(crate) fn claim(&mut self, claim: &str) -> Page {
        self.get(&format!("/approvals/{claim}"))
    }

    /// Asks for a code and waits for the mail with it.
    pub(crate) fn code(&mut self, claim: &str) -> String {
        self.answer_and_code(claim).1
    }

    pub(crate) fn answer_and_code(&mut self, claim: &str) -> (Page, String) {
        let before = codes(self.world, self.person).len();
        let email = format!("{}@example.com", self.person);
        let asked = self.post(&format!("/approvals/{claim}/code"), &[("email", &email)]);
        assert_eq!(asked.status, 200, "{}", asked.text);
        let came = || codes(self.world, self.person).get(before).cloned();
        let code = self.world.until_some("a code is mailed", wait::LONG, came);
        (asked, code)
    }

    /// Signs in by a claim that waits for this person, and looks at it.
    pub(crate) fn sign_in(&mut self, claim: &str) -> Page {
        let code = self.code(claim);
        let opened = self.post(&format!("/approvals/{claim}/session"), &[("code", &code)]);
        assert_eq!((opened.status, opened.header("location")), (303, Some(format!("/approvals/{claim}").as_str())), "{}", opened.text);
        let page = self.claim(claim);
        assert_eq!(page.status, 200, "{}", page.text);
        self.form = page.hidden("form");
        page
    }

    /// Sends a decision about the claim as it is now.
    pub(crate) fn decide(&mut self, claim: &str, fields: &[(&str, &str)]) -> Page {
        let (digest, step) = (self.world.digest(claim), self.world.step(claim));
        self.decide_about(claim, (&digest, &step), fields)
    }

    /// Sends one about the claim and the step that somebody saw.
    pub(crate) fn decide_about(&mut self, claim: &str, (digest, step): (&str, &str), fields: &[(&str, &str)]) -> Page {
        let form = self.form.clone();
        let carried = [("form", form.as_str()), ("digest", digest), ("step", step)];
        let fields: Vec<(&str, &str)> = carried.into_iter().chain(fields.iter().copied()).collect();
        self.post(&format!("/approvals/{claim}/decision"), &fields)
    }
}

/// The codes that were mailed to somebody, in order.
pub(crate) fn codes(world: &World, person: &str) -> Vec<String> {
    let mails = world.mails_to(person).into_iter().filter(|mail| mail["subject"].as_str().is_some_and(|subject| subject.starts_with("Your code")));
    let code = |mail: serde_json::Value| {
        let text = mail["text"].as_str().expect("text").to_owned();
        let code = text.lines().map(str::trim).find(|line| line.len() == 8 && line.bytes().all(|byte| byte.is_ascii_digit()));
        code.unwrap_or_else(|| panic!("no code in {text}")).to_owned()
    };
    mails.map(code).collect()
}

/// Every address in a mail, of its text and its HTML.
pub(crate) fn links(mail: &serde_json::Value) -> Vec<String> {
    let all = format!("{} {}", mail["text"].as_str().unwrap_or_default(), mail["html"].as_str().unwrap_or_default().replace("&#x2f;", "/"));
    let found = all
        .match_indices("http")
        .map(|(at, _)| all[at..].split(|c: char| c.is_whitespace() || "\"'<>".contains(c)).next().unwrap_or_default().to_owned());
    let mut links: Vec<String> = found.filter(|link| link.contains("://")).collect();
    links.sort();
    links.dedup();
    links
}
