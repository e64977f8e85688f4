use std::net::SocketAddr;

use axum::http::Method;
use data_encoding::BASE64URL_NOPAD;
use sabir_mls::identity::{ClientCredential, IdentityKey, Period};
use sabir_mls::key_package::{self, NewKeyPackage};
use sabir_mls::keys::{SigningKey, sha256};
use sabir_mls::{Device, suite};
use sabir_wire::client_api::{
    ClientAuthChallenge, CreateAccountRequest, CreateAccountResponse, KeyPackageCountResponse,
    PublishKeyPackagesRequest, PublishKeyPackagesResponse, RegisterDeviceCode, RegisterDeviceRequest,
    RegisterDeviceResponse, SecretBytes, SignInRequest, SignInResponse, path,
};
use sabir_wire::codec::{Decode, Encode};
use sabir_wire::device_list::{KeyHash, SignedDeviceList};
use sabir_wire::mls::{CipherSuite, KeyPackage, SignaturePublicKey};
use sabir_wire::uri::{ClientUri, ProviderUri, UserUri};

use super::connection::{Answer, Connection, Stream};
use super::town::{Running, Town, Trust};
use super::{domain, now, rng};

const YEAR_MS: u64 = 365 * 24 * 3_600_000;

/// A person with a user certificate.
pub(crate) struct Person {
    pub(crate) user: UserUri,
    pub(crate) identity: IdentityKey,
    pub(crate) certificate: Vec<u8>,
}

/// The key that everybody's certificate commits to. What a person writes down is its private half.
pub(crate) fn recovery_key() -> SigningKey {
    SigningKey::from_secret_bytes(&[&[0x08, 0x07][..], b"seed of this town's recovery key"].concat()).unwrap()
}

pub(crate) fn account_request(
    identity: &IdentityKey,
    provider: &ProviderUri,
    token: &str,
    name: &str,
) -> CreateAccountRequest {
    let mut request = CreateAccountRequest {
        invite_token: SecretBytes::new(token.as_bytes().to_vec()),
        user_name: name.to_owned(),
        identity_key: SignaturePublicKey(identity.public().to_vec()),
        recovery_commitment: sha256(recovery_key().public()),
        signature: Vec::new(),
    };
    request.signature = identity
        .signing_key()
        .sign_with_label(CreateAccountRequest::SIGNATURE_LABEL, &request.tbs(provider))
        .unwrap();
    request
}

impl Person {
    /// Makes an account by invite.
    pub(crate) async fn join(town: &Town, provider: &Running, name: &str) -> Self {
        let token = provider.invite(1).await;
        let connection = Connection::open(town.device_tls(), provider.name(), provider.address).await;
        let (person, ca) = Self::join_over(&connection, provider.name(), &token, name).await;
        assert_eq!(ca, provider.shared.secrets.ca.certificate());
        person
    }

    /// Makes an account by the token of an invite; gives the provider's identity CA, too.
    pub(crate) async fn join_over(
        connection: &Connection,
        provider: &str,
        token: &str,
        name: &str,
    ) -> (Self, Vec<u8>) {
        let identity = IdentityKey::generate(&mut rng()).unwrap();
        let us = domain(provider);
        let request = account_request(&identity, &ProviderUri::from(&us), token, name);
        let answer: CreateAccountResponse = connection.post(path::ACCOUNTS, &request.to_bytes()).await.read();
        let CreateAccountResponse::Created {
            user_certificate,
            provider_ca,
        } = answer
        else {
            panic!("{answer:?}")
        };
        let person = Self {
            user: UserUri::new(&us, name).unwrap(),
            identity,
            certificate: user_certificate,
        };
        (person, provider_ca)
    }

    pub(crate) fn device_list(&self, version: u64, keys: &[&SigningKey]) -> SignedDeviceList {
        let mut key_hashes: Vec<KeyHash> = keys.iter().map(|key| KeyHash(sha256(key.public()))).collect();
        key_hashes.sort();
        let mut list = SignedDeviceList {
            user: self.user.clone(),
            version,
            key_hashes,
            signature: Vec::new(),
        };
        list.signature = self
            .identity
            .signing_key()
            .sign_with_label(SignedDeviceList::SIGNATURE_LABEL, &list.tbs())
            .unwrap();
        list
    }

    /// A device's key and certificate, on a list of its own of this version.
    pub(crate) fn device(&self, name: &str, version: u64) -> NewDevice {
        let key = SigningKey::ed25519(&mut rng()).unwrap();
        let list = self.device_list(version, &[&key]);
        self.device_with(name, key, list)
    }

    pub(crate) fn device_with(&self, name: &str, key: SigningKey, list: SignedDeviceList) -> NewDevice {
        let client = ClientUri::new(self.user.authority(), name).unwrap();
        let period = Period {
            now: now(),
            lifetime: YEAR_MS,
        };
        let certificate = self
            .identity
            .issue_device(&self.certificate, &client, key.public(), period, &mut rng())
            .unwrap();
        NewDevice {
            client,
            credential: ClientCredential::new(&certificate, &self.certificate).unwrap(),
            key,
            list,
        }
    }
}

/// A device that the provider need not know.
pub(crate) struct NewDevice {
    pub(crate) client: ClientUri,
    pub(crate) credential: ClientCredential,
    pub(crate) key: SigningKey,
    pub(crate) list: SignedDeviceList,
}

impl NewDevice {
    pub(crate) fn registration(&self) -> RegisterDeviceRequest {
        let provider = self.client.provider();
        let mut request = RegisterDeviceRequest {
            credential: self.credential.to_credential(),
            device_list: self.list.clone(),
            signature: Vec::new(),
        };
        request.signature = self
            .key
            .sign_with_label(RegisterDeviceRequest::SIGNATURE_LABEL, &request.tbs(&provider))
            .unwrap();
        request
    }

    pub(crate) fn mls(&self) -> Device {
        Device {
            credential: self.credential.to_bytes(),
            key: self.key.clone(),
            device_list: self.list.to_bytes(),
            suite: sabir_mls::suite::DEFAULT,
        }
    }

    /// Registers and signs in.
    pub(crate) async fn go_online(self, town: &Town, provider: &Running) -> Online {
        self.go_online_at(town, provider.name(), provider.address).await
    }

    /// Registers and signs in at the provider of this name and address.
    pub(crate) async fn go_online_at(self, town: &Town, host: &str, address: SocketAddr) -> Online {
        let user = self.credential.claimed_user().clone();
        let trust = town.device_tls();
        let connection = Connection::open(trust.clone(), host, address).await;
        let answer = connection
            .post(path::DEVICES, &self.registration().to_bytes())
            .await;
        assert_eq!(
            answer.read::<RegisterDeviceResponse>().code,
            RegisterDeviceCode::Registered
        );
        let mut online = Online {
            user,
            mls: self.mls(),
            client: self.client,
            connection,
            token: String::new(),
            trust,
            address,
        };
        online.sign_in().await;
        online
    }
}

/// A device that is signed in.
pub(crate) struct Online {
    pub(crate) user: UserUri,
    pub(crate) client: ClientUri,
    pub(crate) mls: Device,
    pub(crate) connection: Connection,
    pub(crate) token: String,
    trust: Trust,
    address: SocketAddr,
}

impl Online {
    pub(crate) async fn challenge(&self) -> ClientAuthChallenge {
        self.connection.post(path::CHALLENGE, &[]).await.read()
    }

    pub(crate) fn signed(&self, nonce: [u8; 32], exporter: [u8; 32]) -> SignInRequest {
        let mut request = SignInRequest {
            client: self.client.clone(),
            nonce,
            signature: Vec::new(),
        };
        let tbs = request.tbs(&self.client.provider(), exporter);
        request.signature = self.mls.key.sign_with_label("SabirClientAuth", &tbs).unwrap();
        request
    }

    pub(crate) async fn sign_in(&mut self) {
        let challenge = self.challenge().await;
        let request = self.signed(challenge.nonce, self.connection.exporter);
        let answer: SignInResponse = self
            .connection
            .post(path::SIGN_IN, &request.to_bytes())
            .await
            .read();
        self.token = BASE64URL_NOPAD.encode(answer.token.expose());
    }

    /// A new connection after the provider came back.
    pub(crate) async fn reconnect(&mut self) {
        let host = self.client.authority().as_str().to_owned();
        self.connection = Connection::open(self.trust.clone(), &host, self.address).await;
    }

    pub(crate) fn bearer(&self) -> String {
        format!("Bearer {}", self.token)
    }

    pub(crate) async fn post(&self, path: &str, body: &[u8]) -> Answer {
        let bearer = self.bearer();
        self.connection
            .ask(Method::POST, path, &[("authorization", &bearer)], body)
            .await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        let bearer = self.bearer();
        self.connection
            .ask(Method::GET, path, &[("authorization", &bearer)], &[])
            .await
    }

    pub(crate) async fn events(&self, after: u64) -> Stream {
        let bearer = self.bearer();
        let path = format!("{}?after={after}", path::EVENTS);
        let request = self
            .connection
            .request(Method::GET, &path, &[("authorization", &bearer)], &[]);
        Stream::new(self.connection.send(request).await)
    }

    pub(crate) fn packages(&self, count: usize) -> Vec<NewKeyPackage> {
        key_package::generate(&self.mls, count, now(), &mut rng()).unwrap()
    }

    pub(crate) async fn publish(&self, packages: &[NewKeyPackage]) -> Answer {
        let key_packages = packages
            .iter()
            .map(|made| KeyPackage::from_bytes(&made.bytes).unwrap())
            .collect();
        let request = PublishKeyPackagesRequest { key_packages };
        self.post(path::KEY_PACKAGES, &request.to_bytes()).await
    }

    pub(crate) async fn publish_some(&self, count: usize) -> Vec<NewKeyPackage> {
        let packages = self.packages(count);
        let answer: PublishKeyPackagesResponse = self.publish(&packages).await.read();
        assert_eq!(answer.accepted as usize, count);
        packages
    }

    pub(crate) async fn available(&self) -> u32 {
        self.get(path::KEY_PACKAGES)
            .await
            .read::<KeyPackageCountResponse>()
            .of(CipherSuite(suite::DEFAULT))
    }
}
