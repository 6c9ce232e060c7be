//! The one way out by HTTP: bounded in time and bytes, to public addresses only, without redirects, proxies, retries or kept connections.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::HeaderMap;
use reqwest::{Client, Method, Url};

use super::addresses::{self, RefusedAddress};

/// How long making a connection may take, whatever the whole may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// How far a request may go.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Whether this machine may be spoken to, and that without TLS.
    pub allow_loopback: bool,
    /// From the first to the last byte.
    pub timeout: Duration,
    /// Of an answer's body.
    pub answer_max_bytes: usize,
}

/// Speaks to the world.
#[derive(Debug, Clone)]
pub struct Outbound {
    client: Client,
    bounds: Bounds,
}

/// An answer, whole.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status; never one of a redirect's target.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutboundError {
    /// The client can't be made.
    #[error("no HTTP client can be made: {0}")]
    Client(String),
    /// The URL, or the address behind it, must not be spoken to; nothing was sent.
    #[error("{host} is not spoken to: {reason}")]
    Refused {
        /// The host of the URL.
        host: String,
        /// Why.
        reason: String,
    },
    /// There was no connection, or no TLS; nothing of the request was sent.
    #[error("there is no connection to {host}: {reason}")]
    NotConnected {
        /// The host of the URL.
        host: String,
        /// Why.
        reason: String,
    },
    /// The request, or part of it, has left; whether it was taken is not known.
    #[error("{host} gave no whole answer: {reason}")]
    NoAnswer {
        /// The host of the URL.
        host: String,
        /// Why.
        reason: String,
    },
}

impl Outbound {
    /// Makes a client. TLS is rustls with ring, which becomes the process's provider if it has none yet.
    ///
    /// # Errors
    /// [`OutboundError::Client`]: the system's certificates can't be used.
    pub fn new(bounds: Bounds) -> Result<Self, OutboundError> {
        // The second one in a process is refused, and is the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .user_agent(concat!("tributary/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .no_proxy()
            .https_only(!bounds.allow_loopback)
            .connect_timeout(CONNECT_LIMIT.min(bounds.timeout))
            .timeout(bounds.timeout)
            // On a kept connection nobody knows whether a request was read before it closed.
            .pool_max_idle_per_host(0)
            .dns_resolver(Arc::new(Resolver { allow_loopback: bounds.allow_loopback }))
            .build()
            .map_err(|error| OutboundError::Client(told(&error)))?;
        Ok(Self { client, bounds })
    }

    /// Sends a request, once, and reads the whole answer.
    ///
    /// # Errors
    /// [`OutboundError`]; only [`OutboundError::NoAnswer`] may have arrived.
    pub async fn send(&self, method: Method, url: &Url, headers: HeaderMap, body: Vec<u8>) -> Result<Answer, OutboundError> {
        let host = url.host_str().unwrap_or_default().to_owned();
        self.check(url).map_err(|reason| OutboundError::Refused { host: host.clone(), reason })?;
        let sent = self.client.request(method, url.clone()).headers(headers).body(body).send().await;
        let mut response = sent.map_err(|error| classify(&host, &error))?;
        let (status, headers) = (response.status().as_u16(), std::mem::take(response.headers_mut()));
        let body = self.read(&mut response).await.map_err(|reason| OutboundError::NoAnswer { host, reason })?;
        Ok(Answer { status, headers, body })
    }

    /// A URL with an address in it never reaches the resolver, and only this machine is spoken to without TLS.
    fn check(&self, url: &Url) -> Result<(), String> {
        let literal = match url.host() {
            Some(url::Host::Ipv4(address)) => Some(IpAddr::from(address)),
            Some(url::Host::Ipv6(address)) => Some(IpAddr::from(address)),
            Some(url::Host::Domain(_)) => None,
            None => return Err("the URL names no host".into()),
        };
        if let Some(address) = literal {
            addresses::check(address, self.bounds.allow_loopback).map_err(|refused| refused.to_string())?;
        }
        let is_local = literal.map_or_else(|| url.host_str().is_some_and(is_localhost), |address| address.to_canonical().is_loopback());
        match url.scheme() {
            "https" => Ok(()),
            "http" if self.bounds.allow_loopback && is_local => Ok(()),
            "http" => Err("without TLS, only this machine is spoken to, where that is allowed".into()),
            other => Err(format!("{other} is not https")),
        }
    }

    async fn read(&self, response: &mut reqwest::Response) -> Result<Vec<u8>, String> {
        let most = self.bounds.answer_max_bytes;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| told(&error))? {
            if body.len() + chunk.len() > most {
                return Err(format!("the answer has more than {most} bytes"));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

/// Gives the connection only addresses that may be spoken to; it has no other way to an address of a name.
#[derive(Debug)]
struct Resolver {
    allow_loopback: bool,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_loopback = self.allow_loopback;
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let addresses: Addrs = Box::new(permitted(name.as_str(), found, allow_loopback)?.into_iter());
            Ok(addresses)
        })
    }
}

/// All addresses of a name, or none: one that mixes public and private ones is after something.
fn permitted(name: &str, found: Vec<SocketAddr>, allow_loopback: bool) -> Result<Vec<SocketAddr>, RefusedAddress> {
    for address in found.iter().map(SocketAddr::ip) {
        addresses::check(address, allow_loopback)?;
        // What is spoken to without TLS as this machine must be this machine.
        if is_localhost(name) && !address.to_canonical().is_loopback() {
            return Err(RefusedAddress { address, class: "not this machine, though its name is localhost" });
        }
    }
    Ok(found)
}

fn is_localhost(name: &str) -> bool {
    name.eq_ignore_ascii_case("localhost")
}

fn classify(host: &str, error: &reqwest::Error) -> OutboundError {
    let (host, reason) = (host.to_owned(), told(error));
    let refused =
        std::iter::successors(std::error::Error::source(error), |error| error.source()).find_map(|error| error.downcast_ref::<RefusedAddress>());
    match refused {
        Some(refused) => OutboundError::Refused { host, reason: refused.to_string() },
        None if error.is_connect() || error.is_builder() => OutboundError::NotConnected { host, reason },
        None => OutboundError::NoAnswer { host, reason },
    }
}

/// The innermost cause: the outer ones name the URL again. A timeout has none that says so.
fn told(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".into();
    }
    let innermost = std::iter::successors(std::error::Error::source(error), |error| error.source()).last();
    innermost.map_or_else(|| error.to_string(), ToString::to_string)
}

#[cfg(test)]
mod tests;
