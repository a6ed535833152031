//! Languages as ISO 639-1 codes. Servers give names ("english"), codes, or codes with a region.

/// The languages of Whisper, by the English names that it answers with.
const NAMES: &str = "af afrikaans am amharic ar arabic as assamese az azerbaijani ba bashkir be belarusian bg bulgarian \
    bn bengali bo tibetan br breton bs bosnian ca catalan cs czech cy welsh da danish de german el greek en english \
    es spanish et estonian eu basque fa persian fi finnish fo faroese fr french gl galician gu gujarati ha hausa \
    haw hawaiian he hebrew hi hindi hr croatian ht haitian-creole hu hungarian hy armenian id indonesian is icelandic \
    it italian ja japanese jw javanese ka georgian kk kazakh km khmer kn kannada ko korean la latin lb luxembourgish \
    ln lingala lo lao lt lithuanian lv latvian mg malagasy mi maori mk macedonian ml malayalam mn mongolian mr marathi \
    ms malay mt maltese my myanmar ne nepali nl dutch nn nynorsk no norwegian oc occitan pa punjabi pl polish ps pashto \
    pt portuguese ro romanian ru russian sa sanskrit sd sindhi si sinhala sk slovak sl slovenian sn shona so somali \
    sq albanian sr serbian su sundanese sv swedish sw swahili ta tamil te telugu tg tajik th thai tk turkmen tl tagalog \
    tr turkish tt tatar uk ukrainian ur urdu uz uzbek vi vietnamese yi yiddish yo yoruba zh chinese yue cantonese";

/// The code of a language, from whatever a server calls it; what is unknown stays as it is.
pub(super) fn code(language: &str) -> String {
    let plain = language.trim().to_lowercase().replace(' ', "-");
    let mut words = NAMES.split_whitespace();
    while let (Some(code), Some(name)) = (words.next(), words.next()) {
        if plain == code || plain == name || plain.split(['-', '_']).next() == Some(code) {
            return code.to_owned();
        }
    }
    plain
}

/// Whether it looks like a code.
pub(super) fn is_code(text: &str) -> bool {
    (2..=3).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_lowercase())
}

/// The language that most of the seconds are in.
pub(super) fn most_spoken<'a>(heard: impl Iterator<Item = (&'a str, f64)>) -> Option<String> {
    let mut sums: Vec<(String, f64)> = Vec::new();
    for (language, seconds) in heard {
        let code = code(language);
        match sums.iter_mut().find(|(known, _)| *known == code) {
            Some((_, sum)) => *sum += seconds,
            None => sums.push((code, seconds)),
        }
    }
    sums.into_iter().max_by(|a, b| a.1.total_cmp(&b.1)).map(|(code, _)| code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_codes_and_regions_become_codes() {
        assert_eq!(
            ["english", "Italian", "pt-BR", "en", "zh_TW", "Haitian Creole", "klingon"].map(code),
            ["en", "it", "pt", "en", "zh", "ht", "klingon"]
        );
        assert!(is_code("it") && is_code("yue") && !is_code("italian") && !is_code("IT"));
    }

    #[test]
    fn a_greeting_in_another_language_does_not_decide() {
        let heard = [("english", 3.0), ("it", 40.0), ("en", 10.0)];
        assert_eq!(most_spoken(heard.into_iter()).as_deref(), Some("it"));
        assert_eq!(most_spoken(std::iter::empty()), None);
    }
}
