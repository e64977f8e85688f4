//! The identity CAs of providers that this profile trusts.

use sabir_mls::identity::{CaCertificate, TrustAnchors};
use sabir_wire::uri::Domain;

use super::{StoreError, Tx};

const TABLE: &str = "anchors";

impl Tx<'_> {
    /// Every pinned CA.
    ///
    /// # Errors
    /// [`StoreError::Damaged`].
    pub fn anchors(&self) -> Result<TrustAnchors, StoreError> {
        let damaged = || StoreError::Damaged(TABLE);
        let mut anchors = TrustAnchors::new();
        let mut statement = self
            .sql
            .prepare_cached("SELECT domain, certificate, value FROM anchors")?;
        let mut found = statement.query(())?;
        while let Some(row) = found.next()? {
            let domain: Vec<u8> = row.get(0)?;
            let certificate: Vec<u8> = row.get(1)?;
            let sealed: Vec<u8> = row.get(2)?;
            let der = self
                .sealer
                .open(TABLE, &[domain, certificate].concat(), &sealed)?;
            let ca = CaCertificate::parse(&der).map_err(|_| damaged())?;
            let domain = ca.domain().clone();
            anchors.pin(&domain, ca).map_err(|_| damaged())?;
        }
        Ok(anchors)
    }

    /// Keeps a CA as pinned for `domain`, which its certificate names.
    ///
    /// # Errors
    /// Failures of the database.
    pub fn put_anchor(&mut self, domain: &Domain, ca: &CaCertificate) -> Result<(), StoreError> {
        let domain = self.sealer.hash("domain", &[domain.as_str().as_bytes()]);
        let certificate = self.sealer.hash("certificate", &[&ca.hash()]);
        let sealed = self
            .sealer
            .seal(TABLE, &[domain, certificate].concat(), ca.der())?;
        self.sql
            .prepare_cached(
                "INSERT INTO anchors (domain, certificate, value) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
            )?
            .execute((domain.as_slice(), certificate.as_slice(), sealed))?;
        Ok(())
    }
}
