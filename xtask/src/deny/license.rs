//! SPDX expressions: `A OR B`, `A AND (B OR C)`, `A WITH exception`, and the old `A/B`.

/// Whether the expression can be met with licences that `accept` agrees to. An expression that does not parse
/// is not met.
pub(super) fn satisfied(expression: &str, accept: impl FnMut(&str) -> bool) -> bool {
    let spaced = expression
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut parser = Parser {
        words: &words,
        accept,
    };
    parser.either().is_some_and(|met| met && parser.words.is_empty())
}

struct Parser<'a, A> {
    words: &'a [&'a str],
    accept: A,
}

impl<A: FnMut(&str) -> bool> Parser<'_, A> {
    fn take(&mut self, word: &str) -> bool {
        match self.words.split_first() {
            Some((first, rest)) if first.eq_ignore_ascii_case(word) => {
                self.words = rest;
                true
            }
            _ => false,
        }
    }

    fn either(&mut self) -> Option<bool> {
        let mut met = self.both()?;
        while self.take("OR") {
            met |= self.both()?;
        }
        Some(met)
    }

    fn both(&mut self) -> Option<bool> {
        let mut met = self.one()?;
        while self.take("AND") {
            met &= self.one()?;
        }
        Some(met)
    }

    fn one(&mut self) -> Option<bool> {
        if self.take("(") {
            let met = self.either()?;
            return self.take(")").then_some(met);
        }
        let (name, rest) = self.words.split_first()?;
        self.words = rest;
        if self.take("WITH") {
            let (exception, rest) = self.words.split_first()?;
            self.words = rest;
            return Some((self.accept)(&format!("{name} WITH {exception}")));
        }
        Some((self.accept)(name))
    }
}

#[cfg(test)]
mod tests {
    use super::satisfied;

    fn met(expression: &str) -> bool {
        satisfied(expression, |license| {
            matches!(license, "MIT" | "ISC" | "Apache-2.0 WITH LLVM-exception")
        })
    }

    #[test]
    fn expressions() {
        assert!(met("MIT"));
        assert!(met("GPL-3.0 OR MIT"));
        assert!(met("MIT/Apache-2.0"));
        assert!(met("ISC AND (MIT OR OpenSSL)"));
        assert!(met("Apache-2.0 WITH LLVM-exception"));
        assert!(!met("Apache-2.0"));
        assert!(!met("ISC AND OpenSSL"));
        assert!(!met("MIT AND"));
        assert!(!met("(MIT"));
        assert!(!met(""));
    }
}
