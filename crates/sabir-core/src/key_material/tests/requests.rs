use super::*;

#[test]
fn a_request_is_signed_and_survives_the_wire() {
    let story = Story::new();
    let request = story.request(Some(&room("a")));
    assert_eq!(request.required_capabilities, required_capabilities());
    let numbers = |types: &[ProposalType]| types.iter().map(|it| it.0).collect::<Vec<_>>();
    assert_eq!(
        numbers(&request.required_capabilities.proposal_types),
        [8, 0x000a]
    );
    assert_eq!(request.required_capabilities.extension_types[0].0, 6);
    assert_eq!(request.required_capabilities.credential_types[0].0, 2);
    let suites: Vec<u16> = request
        .acceptable_ciphersuites
        .iter()
        .map(|suite| suite.0)
        .collect();
    assert_eq!(suites, suite::supported());
    let read = KeyMaterialRequest::from_bytes(&request.to_bytes()).unwrap();
    let verified = story.verified(&read);
    assert_eq!(
        (verified.user(), verified.client()),
        (&request.requesting_user, &client_of(&story.alice.device))
    );
    let (me, target) = (user("alice@a.example"), user("bob@b.example"));
    let narrow = build_request_for(&story.alice.device, &me, &target, None, &[1]).unwrap();
    assert_eq!(
        (narrow.acceptable_ciphersuites.as_slice(), narrow.room_id),
        ([CipherSuite(1)].as_slice(), None)
    );
}

#[test]
fn only_ones_own_requests_can_be_made() {
    let story = Story::new();
    let (alice, bob) = (user("alice@a.example"), user("bob@b.example"));
    let device = &story.alice.device;
    assert!(matches!(
        build_request(device, &bob, &alice, None),
        Err(RequestError::NotRequester)
    ));
    assert!(matches!(
        build_request_for(device, &alice, &bob, None, &[]),
        Err(RequestError::NoSuite)
    ));
    let broken = Device {
        credential: vec![1],
        ..device.clone()
    };
    assert!(matches!(
        build_request(&broken, &alice, &bob, None),
        Err(RequestError::Credential(_))
    ));
}

#[test]
fn every_part_of_a_request_is_covered() {
    let story = Story::new();
    let good = story.request(Some(&room("a")));
    let eve = SigningKey::ed25519(&mut story.world.rng.clone()).unwrap();
    type Change = fn(&mut KeyMaterialRequest, &Story);
    let changes: [(&str, Change); 7] = [
        ("target", |it, _| it.target_user = user("carol@b.example")),
        ("room", |it, _| it.room_id = None),
        ("other room", |it, _| it.room_id = Some(room("c"))),
        ("suites", |it, _| it.acceptable_ciphersuites.push(CipherSuite(7))),
        ("capabilities", |it, _| {
            it.required_capabilities.proposal_types.clear()
        }),
        ("signature", |it, _| it.key_material_request_signature[0] ^= 1),
        ("no signature", |it, _| it.key_material_request_signature.clear()),
    ];
    for (name, change) in changes {
        let mut request = good.clone();
        change(&mut request, &story);
        let error = verify_request(&request, &story.world.anchors, story.world.now).unwrap_err();
        assert!(matches!(error, RequestError::Signature), "{name}: {error:?}");
    }
    // Properly signed, but by somebody else or for somebody else.
    let mut request = good.clone();
    request.requesting_user = user("bob@b.example");
    let error = verify_request(&story.signed(request), &story.world.anchors, story.world.now).unwrap_err();
    assert!(matches!(error, RequestError::NotRequester));
    let mut request = good.clone();
    request.requester_signature_key = SignaturePublicKey(eve.public().to_vec());
    request.key_material_request_signature = eve
        .sign_with_label(KeyMaterialRequest::SIGNATURE_LABEL, &request.tbs())
        .unwrap();
    let error = verify_request(&request, &story.world.anchors, story.world.now).unwrap_err();
    assert!(matches!(error, RequestError::Credential(_)), "{error:?}");
    let mut request = good.clone();
    request.requester_credential = Credential::Basic {
        identity: b"mimi://a.example/u/alice".to_vec(),
    };
    let error = verify_request(&story.signed(request), &story.world.anchors, story.world.now).unwrap_err();
    assert!(matches!(error, RequestError::Credential(_)), "{error:?}");
    // Another label does not count.
    let mut request = good;
    request.key_material_request_signature = story
        .alice
        .device
        .key
        .sign_with_label("GroupInfoRequestTBS", &request.tbs())
        .unwrap();
    let error = verify_request(&request, &story.world.anchors, story.world.now).unwrap_err();
    assert!(matches!(error, RequestError::Signature));
}

#[test]
fn a_requester_is_judged_by_the_anchors_and_the_time_given() {
    let story = Story::new();
    let request = story.request(None);
    match verify_request(&request, &TrustAnchors::new(), story.world.now) {
        Err(RequestError::UnknownProvider(domain)) => assert_eq!(domain.as_str(), "a.example"),
        other => panic!("{other:?}"),
    }
    let late = story.world.now + 3 * YEAR;
    let error = verify_request(&request, &story.world.anchors, late).unwrap_err();
    assert!(matches!(error, RequestError::Credential(_)));
}

#[test]
fn who_may_say_it_and_what_then_happens() {
    #[derive(Debug, PartialEq)]
    enum Outcome {
        Answer,
        Relay(&'static str),
        Denied,
        Misdirected,
    }
    use Outcome::{Answer, Denied, Misdirected, Relay};

    let mut story = Story::new();
    let carol = story.world.person('a', "carol");
    // Requester: alice of a. Target: bob of b, or carol of a.
    for (target, hub, from, own, expected) in [
        // By way of the hub `a`, the requester's own provider.
        ("bob@b.example", Some("a"), "a", "a", Relay("b")),
        ("bob@b.example", Some("a"), "a", "b", Answer),
        ("bob@b.example", Some("a"), "c", "b", Denied),
        ("bob@b.example", Some("a"), "b", "a", Denied),
        ("bob@b.example", Some("a"), "a", "c", Misdirected),
        // By way of a third provider.
        ("bob@b.example", Some("c"), "a", "a", Relay("c")),
        ("bob@b.example", Some("c"), "a", "c", Relay("b")),
        ("bob@b.example", Some("c"), "b", "c", Denied),
        ("bob@b.example", Some("c"), "c", "b", Answer),
        ("bob@b.example", Some("c"), "a", "b", Denied),
        ("bob@b.example", Some("c"), "c", "d", Misdirected),
        ("bob@b.example", Some("c"), "c", "c", Denied),
        // The target's provider is the hub.
        ("bob@b.example", Some("b"), "a", "a", Relay("b")),
        ("bob@b.example", Some("b"), "a", "b", Answer),
        ("bob@b.example", Some("b"), "c", "b", Denied),
        // Without a room.
        ("bob@b.example", None, "a", "a", Relay("b")),
        ("bob@b.example", None, "a", "b", Answer),
        ("bob@b.example", None, "c", "b", Denied),
        ("bob@b.example", None, "a", "c", Misdirected),
        ("bob@b.example", None, "b", "b", Denied),
        // Two people of one provider.
        ("carol@a.example", Some("a"), "a", "a", Answer),
        ("carol@a.example", Some("c"), "a", "a", Relay("c")),
        ("carol@a.example", Some("c"), "a", "c", Relay("a")),
        ("carol@a.example", Some("c"), "c", "a", Answer),
        ("carol@a.example", None, "a", "a", Answer),
    ] {
        let hub_room = hub.map(room);
        let (me, target) = (user("alice@a.example"), user(target));
        let request = build_request(&story.alice.device, &me, &target, hub_room.as_ref()).unwrap();
        let requester = story.verified(&request);
        let outcome = match authorise(&request, &requester, &domain(from), &domain(own)) {
            Ok(Errand::Answer) => Answer,
            Ok(Errand::Relay(to)) => Relay(["a", "b", "c"].into_iter().find(|it| domain(it) == to).unwrap()),
            Err(RequestError::NotAuthorised) => Denied,
            Err(RequestError::Misdirected) => Misdirected,
            Err(other) => panic!("{other:?}"),
        };
        assert_eq!(outcome, expected, "{target} hub {hub:?} from {from} at {own}");
    }
    assert_eq!(client_of(&carol.device).authority(), &domain("a"));
}
