use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

fn outbound(allow_loopback: bool) -> Outbound {
    Outbound::new(Bounds { allow_loopback, timeout: Duration::from_secs(5), answer_max_bytes: 1000 }).expect("a client")
}

async fn get(outbound: &Outbound, url: &str) -> Result<Answer, OutboundError> {
    outbound.send(Method::GET, &url.parse().expect("a URL"), HeaderMap::new(), Vec::new()).await
}

/// Answers one connection with these bytes, and says what it was asked.
async fn server(answer: Vec<u8>) -> (SocketAddr, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let served = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut asked = vec![0; 4096];
        let length = stream.read(&mut asked).await.expect("a request");
        stream.write_all(&answer).await.expect("it is read");
        String::from_utf8_lossy(&asked[..length]).into_owned()
    });
    (address, served)
}

fn answer(head: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

#[tokio::test]
async fn addresses_in_urls_are_checked_however_they_are_written() {
    for host in [
        "127.0.0.1",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "10.0.0.1",
        "169.254.169.254",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:a00:1]",
        "[fd00::1]",
        "0.0.0.0",
        "100.64.0.1",
    ] {
        let refused = get(&outbound(false), &format!("https://{host}:9/")).await.expect_err(host);
        assert!(matches!(refused, OutboundError::Refused { .. }), "{host}: {refused}");
    }
    for host in ["10.0.0.1", "169.254.169.254", "[fd00::1]", "0.0.0.0"] {
        let refused = get(&outbound(true), &format!("https://{host}:9/")).await.expect_err(host);
        assert!(matches!(refused, OutboundError::Refused { .. }), "{host}: {refused}");
    }
}

#[tokio::test]
async fn names_are_refused_by_the_address_behind_them() {
    let refused = get(&outbound(false), "https://localhost:9/").await.expect_err("it is this machine");
    assert!(matches!(&refused, OutboundError::Refused { reason, .. } if reason.contains("loopback")), "{refused}");
}

#[test]
fn a_name_with_one_bad_address_has_none() {
    let address = |text: &str| SocketAddr::new(text.parse().expect("an address"), 0);
    assert!(permitted("example.com", vec![address("1.1.1.1"), address("192.168.1.1")], false).is_err());
    assert!(permitted("example.com", vec![address("1.1.1.1"), address("::ffff:127.0.0.1")], false).is_err());
    assert_eq!(permitted("example.com", vec![address("1.1.1.1")], false), Ok(vec![address("1.1.1.1")]));
    assert!(permitted("localhost", vec![address("1.1.1.1")], true).is_err());
    assert!(permitted("localhost", vec![address("127.0.0.1")], true).is_ok());
}

#[tokio::test]
async fn without_tls_only_this_machine_is_spoken_to() {
    for (url, allow_loopback) in
        [("http://example.com/", false), ("http://example.com/", true), ("http://1.1.1.1/", true), ("ftp://127.0.0.1/", true)]
    {
        let refused = get(&outbound(allow_loopback), url).await.expect_err(url);
        assert!(matches!(refused, OutboundError::Refused { .. }), "{url}: {refused}");
    }
}

#[tokio::test]
async fn redirects_are_answers() {
    let (address, _served) = server(answer("307 Temporary Redirect\r\nlocation: http://127.0.0.1:1/", "")).await;
    let answer = get(&outbound(true), &format!("http://{address}/")).await.expect("an answer");
    assert_eq!((answer.status, answer.headers["location"].as_bytes()), (307, &b"http://127.0.0.1:1/"[..]));
}

#[tokio::test]
async fn answers_are_cut_off_and_may_have_been_taken() {
    for body in ["x".repeat(1001), "x".repeat(100_000)] {
        let (address, _served) = server(answer("200 OK", &body)).await;
        let error = get(&outbound(true), &format!("http://localhost:{}/", address.port())).await.expect_err("too long");
        assert!(matches!(error, OutboundError::NoAnswer { .. }), "{error}");
    }
    let (address, _served) = server(answer("200 OK", &"x".repeat(1000))).await;
    assert_eq!(get(&outbound(true), &format!("http://{address}/")).await.expect("an answer").body.len(), 1000);
}

#[tokio::test]
async fn nobody_there_is_not_connected_and_half_an_answer_is_no_answer() {
    let free = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
    let error = get(&outbound(true), &format!("http://{free}/")).await.expect_err("nobody listens");
    assert!(matches!(error, OutboundError::NotConnected { .. }), "{error}");
    for half in [&b""[..], b"HTTP/1.1 200", b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nx", b"\x00\x01"] {
        let (address, _served) = server(half.to_vec()).await;
        let error = get(&outbound(true), &format!("http://{address}/")).await.expect_err("half an answer");
        assert!(matches!(error, OutboundError::NoAnswer { .. }), "{error}");
    }
    // No TLS there, so not a byte of the request was sent.
    let (address, _served) = server(b"nonsense".to_vec()).await;
    let error = get(&outbound(true), &format!("https://{address}/")).await.expect_err("no TLS");
    assert!(matches!(error, OutboundError::NotConnected { .. }), "{error}");
}

#[tokio::test]
async fn a_silent_server_is_no_answer_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let outbound = Outbound::new(Bounds { allow_loopback: true, timeout: Duration::from_millis(200), answer_max_bytes: 10 }).expect("a client");
    let error = get(&outbound, &format!("http://{address}/")).await.expect_err("nobody answers");
    assert_eq!(error, OutboundError::NoAnswer { host: "127.0.0.1".into(), reason: "no answer in time".into() });
}

#[tokio::test]
async fn what_is_sent_is_sent_as_it_is() {
    let (address, served) = server(answer("200 OK", "")).await;
    let headers = HeaderMap::from_iter([(reqwest::header::CONTENT_TYPE, "application/json".parse().expect("a header"))]);
    outbound(true)
        .send(Method::POST, &format!("http://{address}/a").parse().expect("a URL"), headers, b"{ \"a\":1 }".to_vec())
        .await
        .expect("an answer");
    let asked = served.await.expect("it was asked");
    assert!(asked.starts_with("POST /a HTTP/1.1\r\n") && asked.ends_with("\r\n\r\n{ \"a\":1 }"), "{asked}");
}
