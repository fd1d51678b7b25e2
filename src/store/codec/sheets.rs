//! Sheets, and those that were written last: a process that serves writes the same few again and again, and to write one
//! takes longer than all the rest of a decision.

use std::sync::Arc;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::facts::{Fact, is_same};
use super::trade::Trade;
use crate::recent::Recent;
use crate::routing::{Candidate, Policy};

/// So many are remembered.
const REMEMBERED: usize = 8;

/// What many decisions share: the policy, and what is known of the endpoints before anything is measured.
#[derive(Debug, Serialize, Deserialize, Default)]
#[serde(default)]
pub(super) struct Sheet {
    pub(super) policy: Trade,
    pub(super) candidates: Vec<Fact>,
}

/// A sheet as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct Written {
    /// The hash of the text: 64 hex digits.
    pub(in crate::store) hash: String,
    pub(in crate::store) text: String,
}

/// The sheets that were written last, the newest first.
#[derive(Debug, Default)]
pub(in crate::store) struct Sheets(Recent<(Policy, Vec<Candidate<'static>>), Arc<Written>, REMEMBERED>);

impl Sheets {
    /// The sheet of a policy and candidates: the one that was written before, where nothing has changed.
    pub(super) fn of(
        &mut self,
        policy: &Policy,
        candidates: &[Candidate<'static>],
    ) -> Result<Arc<Written>, serde_json::Error> {
        let is_known = |(known, all): &(Policy, Vec<Candidate<'static>>), _: &_| {
            known == policy && all.len() == candidates.len() && all.iter().zip(candidates).all(|(a, b)| is_same(a, b))
        };
        if let Some(written) = self.0.get(is_known) {
            return Ok(Arc::clone(written));
        }
        let sheet = Sheet { policy: Trade::of(policy), candidates: candidates.iter().map(Fact::of).collect() };
        let text = serde_json::to_string(&sheet)?;
        let written = Arc::new(Written { hash: HEXLOWER.encode(&Sha256::digest(text.as_bytes())), text });
        self.0.put((policy.clone(), candidates.to_vec()), Arc::clone(&written));
        Ok(written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Endpoint, EndpointId, ModelId, ProviderId, ProviderKind};

    #[test]
    fn a_sheet_is_written_once_as_long_as_it_says_the_same() {
        let id = EndpointId { provider: ProviderId::new("p"), upstream_model: "m".to_owned() };
        let endpoint = Endpoint::new(id, ModelId::new("a/m"));
        let candidate = Candidate::new(&endpoint, ProviderKind::Host).into_owned();
        let (policy, mut sheets) = (Policy::default(), Sheets::default());
        let mut of = |policy: &Policy, candidates: &[Candidate<'static>]| sheets.of(policy, candidates).unwrap();
        let first = of(&policy, std::slice::from_ref(&candidate));
        let busy = Candidate { in_flight: 3, lacks: vec!["tools"], ..candidate.clone() };
        assert!(Arc::ptr_eq(&first, &of(&policy, &[busy])), "what differs from call to call is not in it");
        let other = Policy { max_attempts: policy.max_attempts + 1, ..policy.clone() };
        let plain = || candidate.clone();
        let mut changed = vec![vec![], vec![plain(), plain()]];
        changed.push(vec![Candidate { no_base_url: true, ..plain() }]);
        changed.push(vec![Candidate { outside_sandbox: true, ..plain() }]);
        changed.push(vec![Candidate { hides_reasoning: true, ..plain() }]);
        changed.push(vec![Candidate { keeps_marks: true, ..plain() }]);
        changed.push(vec![Candidate { unsupported: Some("x".to_owned()), ..plain() }]);
        changed.push(vec![Candidate { missing_settings: vec!["x".to_owned()], ..plain() }]);
        changed.push(vec![Candidate { kind: ProviderKind::Lab, ..plain() }]);
        changed.push(vec![Candidate { credential: crate::routing::Credential::Supposed, ..plain() }]);
        changed.push(vec![Candidate { bills_on_cancel: crate::catalog::CancelBilling::Partial, ..plain() }]);
        let mut dearer = plain();
        dearer.endpoint.to_mut().context = Some(crate::units::Tokens::new(1));
        changed.push(vec![dearer]);
        let mut texts = vec![first.text.clone(), of(&other, &[plain()]).text.clone()];
        // More than are remembered, so that the first is written anew.
        texts.extend(changed.iter().map(|all| of(&policy, all).text.clone()));
        let (count, written) = (texts.len(), std::collections::BTreeSet::from_iter(texts));
        assert_eq!(written.len(), count);
        let again = of(&policy, &[plain()]);
        assert!(!Arc::ptr_eq(&first, &again) && first == again);
    }
}
