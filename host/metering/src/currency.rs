//! Currencies: which there are, and the decimal places of their smallest units.

/// An ISO 4217 code and the decimal places of the currency's smallest unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency {
    code: [u8; 3],
    places: u8,
}

// ISO 4217, list one, up to amendment 180 (the lev went with 2025): every code that the standard gives a smallest unit. So no metals,
// no bond units, no drawing rights, no test codes.
const NONE: &str = "\
    BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF";
const TWO: &str = "\
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD \
    CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS \
    GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD \
    LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB \
    PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP \
    SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW \
    ZWG";
const THREE: &str = "\
    BHD IQD JOD KWD LYD OMR TND";
const FOUR: &str = "\
    CLF UYW";

impl Currency {
    /// The currency of a code (three capital letters), if ISO 4217 has it today and amounts can be paid in it.
    #[must_use]
    pub fn new(code: &str) -> Option<Self> {
        let listed = |list: &str| list.split(' ').any(|it| it == code);
        let lists = [(NONE, 0), (TWO, 2), (THREE, 3), (FOUR, 4)];
        let (_, places) = lists.into_iter().find(|(list, _)| listed(list))?;
        Some(Self { code: code.as_bytes().try_into().ok()?, places })
    }

    /// Three capital letters.
    #[must_use]
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.code).expect("a code is ASCII")
    }

    /// Decimal places of its smallest unit, 0 to 4.
    #[must_use]
    pub const fn places(&self) -> u8 {
        self.places
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn currencies_have_the_places_of_the_standard() {
        for (code, places) in
            [("EUR", 2), ("JPY", 0), ("BHD", 3), ("CLF", 4), ("XCG", 2), ("ZWG", 2), ("MGA", 2)]
        {
            assert_eq!(
                Currency::new(code).map(|it| (it.code().to_owned(), it.places())),
                Some((code.to_owned(), places))
            );
        }
        let all: Vec<&str> = [NONE, TWO, THREE, FOUR].into_iter().flat_map(|list| list.split(' ')).collect();
        assert!(all.iter().all(|code| code.len() == 3 && code.bytes().all(|it| it.is_ascii_uppercase())));
        let once: std::collections::BTreeSet<&str> = all.iter().copied().collect();
        assert_eq!((all.len(), once.len()), (165, 165));
    }

    #[test]
    fn what_is_not_a_currency_today_is_refused() {
        for code in [
            "", "E", "EU", "EURO", "eur", "EUR ", "UR ", "ZZZ", "XAU", "XXX", "XTS", "XDR", "BGN", "HRK",
            "ANG", "ZWL",
        ] {
            assert_eq!(Currency::new(code), None, "{code:?}");
        }
    }
}
