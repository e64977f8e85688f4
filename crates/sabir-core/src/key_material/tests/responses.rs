use super::*;

fn success(client_uri: ClientUri, package: &[u8]) -> ClientKeyMaterial {
    let package = KeyPackage::from_bytes(package).unwrap();
    ClientKeyMaterial {
        client_uri,
        status: ClientKeyStatus::Success(Box::new(package)),
    }
}

#[test]
fn the_user_code_follows_from_the_clients() {
    let mut story = Story::new();
    let (one, two) = (story.bob.device.clone(), story.bobs("bob2"));
    let (first, second) = (story.package(&one), story.package(&two));
    let (one, two) = (client_of(&one), client_of(&two));
    let request = story.request(Some(&room("a")));
    let package = |bytes: &Vec<u8>| Offer::KeyPackage(bytes.clone());
    use KeyMaterialClientCode as Client;
    use KeyMaterialUserCode as Code;
    for (first, second, code, clients) in [
        (
            package(&first),
            package(&second),
            Code::Success,
            [Client::Success, Client::Success],
        ),
        (
            package(&first),
            Offer::Exhausted,
            Code::PartialSuccess,
            [Client::Success, Client::KeyMaterialExhausted],
        ),
        (
            Offer::Incompatible,
            package(&second),
            Code::PartialSuccess,
            [Client::NothingCompatible, Client::Success],
        ),
        (
            Offer::Incompatible,
            Offer::Exhausted,
            Code::NoCompatibleMaterial,
            [Client::NothingCompatible, Client::KeyMaterialExhausted],
        ),
    ] {
        let response = respond(&request, vec![(one.clone(), first), (two.clone(), second)]).unwrap();
        assert_eq!(
            (response.user_status, &response.user_uri),
            (code, &request.target_user)
        );
        let codes: Vec<_> = response
            .clients
            .iter()
            .map(ClientKeyMaterial::client_status)
            .collect();
        assert_eq!(codes, clients);
        assert_eq!(
            KeyMaterialResponse::from_bytes(&response.to_bytes()).unwrap(),
            response
        );
        let given = clients.iter().filter(|code| **code == Client::Success).count();
        let packages = check_response(&request, &response, &story.world.anchors, story.world.now).unwrap();
        assert_eq!(
            (packages.len(), references(&response).unwrap().len()),
            (given, given)
        );
        for (package, (reference, client)) in packages.iter().zip(references(&response).unwrap()) {
            assert_eq!(
                (&package.reference, package.client.client()),
                (&reference, &client)
            );
        }
    }
    let nobody = respond(&request, Vec::new()).unwrap();
    assert_eq!(
        (nobody.user_status, nobody.clients.len()),
        (Code::NoCompatibleMaterial, 0)
    );
    assert!(respond(&request, vec![(one, Offer::KeyPackage(vec![1]))]).is_err());
}

#[test]
fn a_refusal_names_no_clients_and_is_an_answer() {
    let story = Story::new();
    let request = story.request(None);
    for (why, code) in [
        (Refusal::NoConsent, KeyMaterialUserCode::NoConsent),
        (
            Refusal::NoConsentForThisRoom,
            KeyMaterialUserCode::NoConsentForThisRoom,
        ),
        (Refusal::UserUnknown, KeyMaterialUserCode::UserUnknown),
        (Refusal::UserDeleted, KeyMaterialUserCode::UserDeleted),
        (
            Refusal::IncompatibleProtocol,
            KeyMaterialUserCode::IncompatibleProtocol,
        ),
    ] {
        let response = refuse(&request, why);
        assert_eq!((response.user_status, response.clients.len()), (code, 0));
        assert_eq!(
            KeyMaterialResponse::from_bytes(&response.to_bytes()).unwrap(),
            response
        );
        assert!(
            check_response(&request, &response, &story.world.anchors, story.world.now)
                .unwrap()
                .is_empty()
        );
    }
}

#[test]
fn suites_and_capabilities_are_compared_and_grease_asks_for_nothing() {
    let mut story = Story::new();
    let device = story.bob.device.clone();
    let bytes = story.package(&device);
    let request = story.request(None);
    assert!(compatible(&bytes, &request).unwrap());
    assert!(compatible(&bytes[1..], &request).is_err());
    type Asks = fn(&mut KeyMaterialRequest);
    let asks: [(&str, bool, Asks); 9] = [
        ("nothing", true, |it| {
            it.required_capabilities = RequiredCapabilities::default()
        }),
        ("another suite", false, |it| {
            it.acceptable_ciphersuites = vec![CipherSuite(3), CipherSuite(7)]
        }),
        ("this suite among others", true, |it| {
            it.acceptable_ciphersuites = vec![CipherSuite(7), CipherSuite(1)]
        }),
        ("an unknown extension", false, |it| {
            it.required_capabilities
                .extension_types
                .push(ExtensionType(0x0b0b));
        }),
        ("an unknown proposal", false, |it| {
            it.required_capabilities.proposal_types.push(ProposalType(0x0b0b))
        }),
        ("a basic credential", false, |it| {
            it.required_capabilities
                .credential_types
                .push(CredentialType::BASIC);
        }),
        ("what everybody understands", true, |it| {
            it.required_capabilities
                .extension_types
                .extend((1..=5).map(ExtensionType));
            it.required_capabilities
                .proposal_types
                .extend((1..=7).map(ProposalType));
        }),
        ("GREASE", true, |it| {
            it.acceptable_ciphersuites.insert(0, CipherSuite(0x3a3a));
            it.required_capabilities
                .extension_types
                .push(ExtensionType(0x0a0a));
            it.required_capabilities.proposal_types.push(ProposalType(0x1a1a));
            it.required_capabilities
                .credential_types
                .push(CredentialType(0x2a2a));
        }),
        ("AppEphemeral", false, |it| {
            it.required_capabilities
                .proposal_types
                .push(ProposalType::APP_EPHEMERAL)
        }),
    ];
    for (what, expected, ask) in asks {
        let mut request = request.clone();
        ask(&mut request);
        assert_eq!(compatible(&bytes, &request).unwrap(), expected, "{what}");
    }
    // GREASE among a client's capabilities does no harm, and a capability it lacks does.
    type Has = fn(&mut Capabilities);
    let has: [(&str, bool, Has); 3] = [
        ("GREASE", true, |it| {
            it.extensions.insert(0, ExtensionType(0x4a4a))
        }),
        ("no SelfRemove", false, |it| {
            it.proposals
                .retain(|proposal| *proposal != ProposalType::SELF_REMOVE)
        }),
        ("no x509", false, |it| it.credentials.clear()),
    ];
    for (what, expected, has) in has {
        let mut package = KeyPackage::from_bytes(&bytes).unwrap();
        has(&mut package.leaf_node.capabilities);
        assert_eq!(
            compatible(&package.to_bytes(), &request).unwrap(),
            expected,
            "{what}"
        );
    }
    let mut package = KeyPackage::from_bytes(&bytes).unwrap();
    package.version = ProtocolVersion(2);
    assert!(!compatible(&package.to_bytes(), &request).unwrap());
}

#[test]
fn an_answer_is_refused_for_each_of_its_faults() {
    let mut story = Story::new();
    let bob = story.bob.device.clone();
    let two = story.bobs("bob2");
    let (mallory, carol) = (
        story.world.person('b', "mallory").device,
        story.world.person('a', "bob").device,
    );
    let request = story.request(Some(&room("a")));
    let (uri, bytes) = (client_of(&bob), story.package(&bob));
    let (of_two, of_mallory, of_carol) = (
        story.package(&two),
        story.package(&mallory),
        story.package(&carol),
    );
    let good = success(uri.clone(), &bytes);
    let answer = |user_status, clients: Vec<ClientKeyMaterial>| KeyMaterialResponse {
        user_status,
        user_uri: request.target_user.clone(),
        clients,
    };
    let altered = |change: fn(&mut KeyPackage)| {
        let mut package = KeyPackage::from_bytes(&bytes).unwrap();
        change(&mut package);
        success(uri.clone(), &package.to_bytes())
    };
    let exhausted = ClientKeyMaterial {
        client_uri: client_of(&two),
        status: ClientKeyStatus::KeyMaterialExhausted,
    };
    let mut other_user = answer(KeyMaterialUserCode::Success, vec![good.clone()]);
    other_user.user_uri = user("mallory@b.example");
    use KeyMaterialUserCode::{PartialSuccess, Success};
    for (name, response, id) in [
        ("another user", other_user, "WrongUser"),
        ("success of nobody", answer(Success, vec![]), "Inconsistent"),
        (
            "success of some",
            answer(Success, vec![good.clone(), exhausted.clone()]),
            "Inconsistent",
        ),
        (
            "partial success of nobody",
            answer(PartialSuccess, vec![exhausted.clone()]),
            "Inconsistent",
        ),
        (
            "a client twice",
            answer(Success, vec![good.clone(), good.clone()]),
            "ClientTwice",
        ),
        (
            "a client twice, once without",
            answer(
                PartialSuccess,
                vec![exhausted.clone(), exhausted.clone(), good.clone()],
            ),
            "ClientTwice",
        ),
        (
            "another client's",
            answer(Success, vec![success(uri.clone(), &of_two)]),
            "WrongClient",
        ),
        (
            "another user's",
            answer(Success, vec![success(client_of(&mallory), &of_mallory)]),
            "WrongClient",
        ),
        (
            "the same name's at another provider",
            answer(Success, vec![success(client_of(&carol), &of_carol)]),
            "WrongClient",
        ),
        (
            "another suite",
            answer(Success, vec![altered(|it| it.cipher_suite = CipherSuite(7))]),
            "NotCompatible",
        ),
        (
            "too little",
            answer(
                Success,
                vec![altered(|it| it.leaf_node.capabilities.proposals.clear())],
            ),
            "NotCompatible",
        ),
        (
            "a leaf of an update",
            answer(
                Success,
                vec![altered(|it| {
                    it.leaf_node.leaf_node_source = LeafNodeSource::Update
                })],
            ),
            "Expired",
        ),
        (
            "another signature",
            answer(Success, vec![altered(|it| it.signature[0] ^= 1)]),
            "Mls",
        ),
        (
            "a longer life than was signed",
            answer(
                Success,
                vec![altered(|it| {
                    let life = Lifetime {
                        not_before: 0,
                        not_after: u64::MAX,
                    };
                    it.leaf_node.leaf_node_source = LeafNodeSource::KeyPackage(life);
                })],
            ),
            "Mls",
        ),
    ] {
        let error = check_response(&request, &response, &story.world.anchors, story.world.now).unwrap_err();
        assert!(format!("{error:?}").starts_with(id), "{name}: {error:?}");
    }
    // The good one, for comparison, and with one that has none.
    for (code, clients) in [
        (Success, vec![good.clone()]),
        (PartialSuccess, vec![exhausted, good]),
    ] {
        let response = answer(code, clients);
        assert_eq!(
            check_response(&request, &response, &story.world.anchors, story.world.now)
                .unwrap()
                .len(),
            1
        );
    }
}

#[test]
fn key_packages_are_judged_at_the_time_given_and_by_known_anchors() {
    let mut story = Story::new();
    let device = story.bob.device.clone();
    let bytes = story.package(&device);
    let request = story.request(None);
    let response = respond(
        &request,
        vec![(client_of(&device), Offer::KeyPackage(bytes.clone()))],
    )
    .unwrap();
    let package = KeyPackage::from_bytes(&bytes).unwrap();
    let LeafNodeSource::KeyPackage(lifetime) = package.leaf_node.leaf_node_source else {
        panic!("a key package")
    };
    let anchors = &story.world.anchors;
    for (at, valid) in [
        (lifetime.not_before * 1000 - 1, false),
        (lifetime.not_after * 1000 + 1000, false),
        (u64::MAX, false),
        (story.world.now, true),
    ] {
        let outcome = check_response(&request, &response, anchors, at);
        match outcome {
            Ok(packages) => assert!(valid && packages.len() == 1, "{at}"),
            Err(error) => assert!(
                !valid && matches!(error, ResponseError::Expired),
                "{at}: {error:?}"
            ),
        }
    }
    // Within the key package's life, but after the certificate's.
    let at = story.world.now + YEAR + 3_600_000;
    let error = check_response(&request, &response, anchors, at).unwrap_err();
    assert!(matches!(error, ResponseError::Mls(_)), "{error:?}");
    match check_response(&request, &response, &TrustAnchors::new(), story.world.now) {
        Err(ResponseError::Mls(sabir_mls::MlsError::UnknownProvider(domain))) => {
            assert_eq!(domain.as_str(), "b.example");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_suite_with_another_hash_has_no_reference_here() {
    let mut story = Story::new();
    let device = story.bob.device.clone();
    let mut package = KeyPackage::from_bytes(&story.package(&device)).unwrap();
    package.cipher_suite = CipherSuite::MLS_256_DHKEMP384_AES256GCM_SHA384_P384;
    assert_eq!(reference(&package), None);
    let request = story.request(None);
    let given = vec![(client_of(&device), Offer::KeyPackage(package.to_bytes()))];
    let response = respond(&request, given).unwrap();
    assert!(matches!(references(&response), Err(ResponseError::Suite)));
}
