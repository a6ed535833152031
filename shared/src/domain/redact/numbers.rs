//! Numbers as words: digit by digit in the languages of most calls, and up to ninety-nine in those in which people are known to
//! read out cards in pairs: English, German, Italian, Spanish.

/// The digits that a word stands for.
pub(super) fn digits(word: &str) -> Option<String> {
    let pair = |tens: u8, unit: u8| (tens * 10 + unit).to_string();
    digit(word)
        .map(|digit| digit.to_string())
        .or_else(|| teen(word).map(|teen| teen.to_string()))
        .or_else(|| tens(word).map(|tens| pair(tens, 0)))
        .or_else(|| {
            german(word).or_else(|| italian(word)).or_else(|| spanish(word)).map(|(tens, unit)| pair(tens, unit))
        })
}

/// A digit by its name.
fn digit(word: &str) -> Option<u8> {
    Some(match word {
        "zero" | "oh" | "o" | "nought" | "null" | "zéro" | "cero" | "nul" => 0,
        "one" | "uno" | "un" | "una" | "une" | "eins" | "ein" | "um" | "uma" | "een" | "één" => 1,
        "two" | "due" | "zwei" | "zwo" | "deux" | "dos" | "dois" | "duas" | "twee" => 2,
        "three" | "tre" | "drei" | "trois" | "tres" | "três" | "drie" => 3,
        "four" | "quattro" | "vier" | "quatre" | "cuatro" | "quatro" => 4,
        "five" | "cinque" | "fünf" | "cinq" | "cinco" | "vijf" => 5,
        "six" | "sei" | "sechs" | "seis" | "zes" | "meia" => 6,
        "seven" | "sette" | "sieben" | "sept" | "siete" | "sete" | "zeven" => 7,
        "eight" | "otto" | "acht" | "huit" | "ocho" | "oito" => 8,
        "nine" | "nove" | "neun" | "neuf" | "nueve" | "negen" | "niner" => 9,
        _ => return None,
    })
}

fn teen(word: &str) -> Option<u8> {
    Some(match word {
        "ten" | "zehn" | "dieci" | "diez" => 10,
        "eleven" | "elf" | "undici" | "once" => 11,
        "twelve" | "zwölf" | "dodici" | "doce" => 12,
        "thirteen" | "dreizehn" | "tredici" | "trece" => 13,
        "fourteen" | "vierzehn" | "quattordici" | "catorce" => 14,
        "fifteen" | "fünfzehn" | "quindici" | "quince" => 15,
        "sixteen" | "sechzehn" | "sedici" | "dieciséis" | "dieciseis" => 16,
        "seventeen" | "siebzehn" | "diciassette" | "diecisiete" => 17,
        "eighteen" | "achtzehn" | "diciotto" | "dieciocho" => 18,
        "nineteen" | "neunzehn" | "diciannove" | "diecinueve" => 19,
        _ => return None,
    })
}

/// The tens that a word stands for, from 2 to 9.
pub(super) fn tens(word: &str) -> Option<u8> {
    Some(match word {
        "twenty" | "zwanzig" | "venti" | "veinte" => 2,
        "thirty" | "dreißig" | "dreissig" | "trenta" | "treinta" => 3,
        "forty" | "fourty" | "vierzig" | "quaranta" | "cuarenta" => 4,
        "fifty" | "fünfzig" | "cinquanta" | "cincuenta" => 5,
        "sixty" | "sechzig" | "sessanta" | "sesenta" => 6,
        "seventy" | "siebzig" | "settanta" | "setenta" => 7,
        "eighty" | "achtzig" | "ottanta" | "ochenta" => 8,
        "ninety" | "neunzig" | "novanta" | "noventa" => 9,
        _ => return None,
    })
}

/// "Einundvierzig".
fn german(word: &str) -> Option<(u8, u8)> {
    let (unit, ten) =
        word.match_indices("und").find_map(|(at, und)| Some((&word[..at], tens(&word[at + und.len()..])?)))?;
    digit(unit).filter(|unit| *unit > 0).map(|unit| (ten, unit))
}

/// "Quarantuno", "quarantadue".
fn italian(word: &str) -> Option<(u8, u8)> {
    let units = ["uno", "due", "tre", "tré", "quattro", "cinque", "sei", "sette", "otto", "nove"];
    units.into_iter().find_map(|unit| {
        let ten = word.strip_suffix(unit)?;
        let whole = [ten.to_owned(), format!("{ten}a"), format!("{ten}i")];
        let ten = whole.iter().find_map(|ten| tens(ten))?;
        Some((ten, if unit == "tré" { 3 } else { digit(unit)? }))
    })
}

/// "Veintiuno"; what is higher is said in three words.
fn spanish(word: &str) -> Option<(u8, u8)> {
    let unit = match word.strip_prefix("veinti")? {
        "ún" | "un" => 1,
        "dós" => 2,
        "trés" => 3,
        "séis" => 6,
        unit => digit(unit)?,
    };
    Some((2, unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_known_by_their_names() {
        for (word, expected) in [
            ("oh", "0"),
            ("vier", "4"),
            ("undici", "11"),
            ("forty", "40"),
            ("einundvierzig", "41"),
            ("siebenundneunzig", "97"),
            ("hundert", ""),
            ("quarantuno", "41"),
            ("ventotto", "28"),
            ("settantatré", "73"),
            ("veintidós", "22"),
            ("und", ""),
            ("rund", ""),
            ("verdetto", ""),
        ] {
            assert_eq!(digits(word).unwrap_or_default(), expected, "{word}");
        }
    }
}
