//! Phone numbers as the vendors send them: integers, bare digits, `+E.164`, or with punctuation.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A phone number as `+` and 5 to 15 digits. `Debug` hides all but the last two digits, so that it cannot reach a log.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct Phone(String);

impl Phone {
    /// Reads a number however it is written; `None` when it has no plausible number of digits
    /// (an extension, a SIP name, `anonymous`).
    ///
    /// CloudTalk sends integers without `+` that already hold the country code (facts, telephony §1.2).
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.chars().any(|c| c.is_alphabetic()) {
            return None;
        }
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        let digits = match (text.starts_with('+'), digits.strip_prefix("00")) {
            (false, Some(rest)) => rest,
            _ => digits.as_str(),
        };
        (5..=15).contains(&digits.len()).then(|| Self(format!("+{digits}")))
    }

    /// The number as `+` and digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Phone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::fmt::Debug for Phone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "+…{}", &self.0[self.0.len().saturating_sub(2)..])
    }
}

#[cfg(test)]
mod tests {
    use super::Phone;

    #[test]
    fn one_number_has_one_form_however_it_is_written() {
        for text in ["+393501234567", "393501234567", "00393501234567", "+39 350 123-4567", " (39) 350.1234567 "] {
            assert_eq!(Phone::parse(text).as_ref().map(Phone::as_str), Some("+393501234567"), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_number_keeps_its_digits_whatever_stands_between_them(
            digits in "[1-9][0-9]{4,14}", gaps in proptest::collection::vec("[ ().\\-/]{0,2}", 15), prefix in "(\\+|00| \\+)?",
        ) {
            let spaced: String = digits.chars().zip(gaps).flat_map(|(digit, gap)| [digit.to_string(), gap]).collect();
            let phone = Phone::parse(&format!("{prefix}{spaced}"));
            let expected = format!("+{digits}");
            proptest::prop_assert_eq!(phone.as_ref().map(Phone::as_str), Some(expected.as_str()));
        }

        #[test]
        fn what_was_read_reads_the_same_again_and_shows_only_its_end(text in ".{0,24}") {
            if let Some(phone) = Phone::parse(&text) {
                proptest::prop_assert_eq!(Phone::parse(phone.as_str()), Some(phone.clone()));
                proptest::prop_assert!((6..=16).contains(&phone.as_str().len()));
                proptest::prop_assert_eq!(format!("{phone:?}").len(), "+…12".len());
            }
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["", "null", "anonymous", "123", "1234567890123456", "sip:101@host"] {
            assert_eq!(Phone::parse(text), None, "{text}");
        }
    }
}
