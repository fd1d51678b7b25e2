//! Which cloud regions lie in which geography: an endpoint that is bound to a geography (`eu.` before a Bedrock model's
//! name) can be called from its regions alone.

/// The beginnings of region names, the longest that fits first, with the geographies that hold them, the narrowest first.
/// Source: AWS's list of cross-region inference profiles.
const REGIONS: [(&str, &[&str]); 11] = [
    ("us-gov-", &["us-gov"]),
    ("us-", &["us"]),
    ("ca-", &["ca", "us"]),
    ("eu-", &["eu"]),
    ("ap-northeast-1", &["jp", "apac"]),
    ("ap-northeast-3", &["jp", "apac"]),
    ("ap-southeast-2", &["au", "apac"]),
    ("ap-southeast-4", &["au", "apac"]),
    ("ap-southeast-6", &["au", "apac"]),
    ("ap-south-", &["in", "apac"]),
    ("ap-", &["apac"]),
];

/// The geographies that hold a region, the narrowest first; none where the region is not known.
#[must_use]
pub fn geographies(region: &str) -> &'static [&'static str] {
    REGIONS.iter().find(|(beginning, _)| region.starts_with(beginning)).map_or(&[], |(_, held)| held)
}

/// Whether what is bound to a geography cannot be called from a region: both are known, and the one does not hold the
/// other.
#[must_use]
pub fn is_out_of_reach(geography: &str, region: &str) -> bool {
    let is_geography = REGIONS.iter().any(|(_, held)| held.contains(&geography));
    is_geography && geography != region && !geographies(region).contains(&geography)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_lies_in_its_geographies_and_no_others() {
        assert_eq!(geographies("ap-northeast-1"), ["jp", "apac"]);
        assert_eq!(geographies("us-gov-west-1"), ["us-gov"]);
        assert_eq!(geographies("sa-east-1"), [""; 0]);
        assert!(is_out_of_reach("eu", "us-east-1"));
        assert!(is_out_of_reach("us", "us-gov-east-1"));
        assert!(is_out_of_reach("us", "sa-east-1"));
        assert!(!is_out_of_reach("us", "us-east-1"));
        assert!(!is_out_of_reach("apac", "ap-south-1"));
        assert!(!is_out_of_reach("global", "us-east-1"));
        assert!(!is_out_of_reach("eu", "eu"));
    }
}
