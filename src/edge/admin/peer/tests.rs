use proptest::prelude::*;

use super::*;

fn login() -> Login {
    Login { username: "cluster".into(), password: "cluster-secret".into() }
}

const SALT: [u8; 20] = *b"twenty-bytes-of-salt";

#[test]
fn a_login_has_the_proof_and_not_the_password() {
    let packet = packet::login(&login(), &SALT, false);
    let has = |needle: &[u8]| packet.windows(needle.len()).any(|found| found == needle);
    assert!(has(b"cluster\0") && has(&packet::proof("cluster-secret", &SALT)) && has(b"mysql_native_password\0"));
    assert!(!has(b"cluster-secret") && !format!("{:?}", login()).contains("secret"));
    assert!(packet::proof("", &SALT).is_empty());
}

#[test]
fn only_the_one_method_is_answered() {
    let switch = |method: &str, salt: &[u8]| [&[0xfe], method.as_bytes(), &[0], salt, &[0]].concat();
    for method in
        ["mysql_clear_password", "dialog", "sha256_password", "caching_sha2_password", "client_ed25519", "parsec"]
    {
        assert!(matches!(AuthReply::read(&switch(method, &SALT)), Some(AuthReply::Other(asked)) if asked == method));
    }
    for packet in [&[0xfe][..], &[0x01, 0x04], &[0x01, 0x03]] {
        assert!(matches!(AuthReply::read(packet), Some(AuthReply::Other(_))), "{packet:?}");
    }
    assert!(matches!(AuthReply::read(&switch("mysql_native_password", &SALT)), Some(AuthReply::Native(SALT))));
    assert!(AuthReply::read(&switch("mysql_native_password", b"short")).is_none());
}

#[test]
fn a_file_of_this_machine_is_never_sent() {
    assert!(Reply::read(b"\xfb/etc/shadow").is_none());
    assert!(matches!(Reply::read(&[1]), Some(Reply::Columns(1))));
    assert!(matches!(Reply::read(&[0, 3, 0, 2, 0]), Some(Reply::Done(3))));
}

proptest! {
    #[test]
    fn no_packet_of_a_stranger_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300), columns in 0u64..9) {
        drop(Greeting::read(&bytes));
        drop(AuthReply::read(&bytes));
        drop(Reply::read(&bytes));
        drop(packet::row(&bytes, columns));
        drop(packet::refusal(&bytes));
    }
}
