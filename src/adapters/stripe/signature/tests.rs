use super::*;

const SECRET: &str = "whsec_test_secret_of_an_endpoint";
const BODY: &[u8] = br#"{"id":"evt_1","object":"event"}"#;
const TIME_S: i64 = 1_492_774_577;
/// By Python's hmac.
const RIGHT: &str = "a7ca96734c8137a7a5a0a2d172f369967e89af937b22b8d2094f4c33166e78ca";
const TOLERANCE: Duration = Duration::from_mins(5);

fn verify(secrets: &str, header: &str, body: &[u8], now_s: i64) -> Result<(), StripeRejected> {
    StripeKeys::parse(secrets).expect("a secret").verify(header, body, now_s, TOLERANCE)
}

fn header(rest: &str) -> String {
    format!("t={TIME_S},{rest}")
}

#[test]
fn another_implementation_signs_the_same() {
    assert_eq!(verify(SECRET, &header(&format!("v1={RIGHT}")), BODY, TIME_S), Ok(()));
    assert_eq!(verify(SECRET, &header(&format!("v1={}", RIGHT.to_uppercase())), BODY, TIME_S), Ok(()), "hexadecimal either way");
}

#[test]
fn of_several_secrets_and_signatures_one_has_to_fit() {
    let wrong = "0".repeat(64);
    for text in [format!("v1={wrong},v1={RIGHT},v0={wrong}"), format!(" v1={RIGHT} , v1=zz,v1="), format!("v9=x,v1={RIGHT}")] {
        assert_eq!(verify(&format!("whsec_the_one_before_it {SECRET}"), &header(&text), BODY, TIME_S), Ok(()), "{text}");
    }
}

#[test]
fn what_does_not_fit_is_rejected() {
    let many = "v1=00,".repeat(SIGNATURES_MAX);
    for text in ["", "v1=", &format!("v0={RIGHT}"), &format!("v1={}", &RIGHT[..62]), &format!("v1={RIGHT}00"), &format!("{many}v1={RIGHT}")] {
        assert_eq!(verify(SECRET, &header(text), BODY, TIME_S), Err(StripeRejected::Signature), "{text}");
    }
    let right = header(&format!("v1={RIGHT}"));
    assert_eq!(verify(SECRET, &right, br#"{"id":"evt_2","object":"event"}"#, TIME_S), Err(StripeRejected::Signature));
    assert_eq!(verify("whsec_another_secret_than_that", &right, BODY, TIME_S), Err(StripeRejected::Signature));
}

#[test]
fn the_time_is_said_once_and_is_near() {
    for text in ["", "v1=00", "t=", "t=-5", "t=1e9", "t= 7", "t=1234567890123", &format!("t={TIME_S},t={TIME_S},v1={RIGHT}")] {
        assert_eq!(verify(SECRET, text, BODY, TIME_S), Err(StripeRejected::Timestamp), "{text}");
    }
    let right = header(&format!("v1={RIGHT}"));
    for (off_s, answer) in [(300, Ok(())), (-300, Ok(())), (301, Err(301)), (-301, Err(301))] {
        let answer = answer.map_err(|off_s| StripeRejected::Window { off_s, tolerance_s: 300 });
        assert_eq!(verify(SECRET, &right, BODY, TIME_S + off_s), answer, "{off_s}");
    }
    assert!(matches!(verify(SECRET, &right, BODY, i64::MIN), Err(StripeRejected::Window { .. })));
}

#[test]
fn bad_secrets_are_refused_without_repeating_them() {
    for (text, error) in [("", StripeKeyError::Count(0)), ("short", StripeKeyError::Form), ("whsec_with_an_ümlaut_in_it", StripeKeyError::Form)] {
        let refused = StripeKeys::parse(text).map(|_| ()).expect_err(text);
        assert_eq!(refused, error);
        assert!(text.is_empty() || !refused.to_string().contains(text));
    }
    assert_eq!(format!("{:?}", StripeKeys::parse(SECRET)), "Ok(StripeKeys(1 secrets, ***))");
}
