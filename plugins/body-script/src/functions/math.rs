//! Functions of floats, as in C.

use jaq_core::native::{Fun, bome, run, v};

use super::Data;
use crate::value::{Error, Val, fail};

/// `f`: a function of the input. `ff`, `fff`: of its arguments, and `if`, `fi` with an integer in the place of the `i`.
macro_rules! function {
    (f $name:literal $function:ident) => {
        run(($name, v(0), |cv| bome(float(&cv.1).map(libm::$function).map(Val::from))))
    };
    (ff $name:literal $function:ident) => {
        run(($name, v(2), |mut cv| {
            let (y, x) = (cv.0.pop_var(), cv.0.pop_var());
            bome(float(&x).and_then(|x| Ok(Val::from(libm::$function(x, float(&y)?)))))
        }))
    };
    (fi $name:literal $function:ident) => {
        run(($name, v(2), |mut cv| {
            let (y, x) = (cv.0.pop_var(), cv.0.pop_var());
            bome(float(&x).and_then(|x| Ok(Val::from(libm::$function(x, integer(&y)?)))))
        }))
    };
    (if $name:literal $function:ident) => {
        run(($name, v(2), |mut cv| {
            let (y, x) = (cv.0.pop_var(), cv.0.pop_var());
            bome(integer(&x).and_then(|x| Ok(Val::from(libm::$function(x, float(&y)?)))))
        }))
    };
}

fn float(value: &Val) -> Result<f64, Error> {
    match value {
        Val::Num(number) => Ok(number.float()),
        other => fail(format_args!("{} number required", other.shown())),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "past their range integers are the largest or least")]
fn integer(value: &Val) -> Result<i32, Error> {
    float(value).map(|float| float as i32)
}

fn pair(left: impl Into<Val>, right: impl Into<Val>) -> Val {
    Val::array(vec![left.into(), right.into()])
}

#[rustfmt::skip]
pub(super) fn natives() -> Vec<Fun<Data>> {
    vec![
        function!(f "acos" acos), function!(f "acosh" acosh), function!(f "asin" asin), function!(f "asinh" asinh),
        function!(f "atan" atan), function!(f "atanh" atanh), function!(f "cbrt" cbrt), function!(f "cos" cos),
        function!(f "cosh" cosh), function!(f "erf" erf), function!(f "erfc" erfc), function!(f "exp" exp),
        function!(f "exp10" exp10), function!(f "exp2" exp2), function!(f "expm1" expm1), function!(f "fabs" fabs),
        function!(f "j0" j0), function!(f "j1" j1), function!(f "lgamma" lgamma), function!(f "log" log),
        function!(f "log10" log10), function!(f "log1p" log1p), function!(f "log2" log2), function!(f "nearbyint" rint),
        function!(f "rint" rint), function!(f "sin" sin), function!(f "sinh" sinh), function!(f "sqrt" sqrt),
        function!(f "tan" tan), function!(f "tanh" tanh), function!(f "tgamma" tgamma), function!(f "trunc" trunc),
        function!(f "y0" y0), function!(f "y1" y1),
        function!(ff "atan2" atan2), function!(ff "copysign" copysign), function!(ff "fdim" fdim),
        function!(ff "fmax" fmax), function!(ff "fmin" fmin), function!(ff "fmod" fmod), function!(ff "hypot" hypot),
        function!(ff "nextafter" nextafter), function!(ff "pow" pow), function!(ff "remainder" remainder),
        function!(fi "ldexp" ldexp), function!(fi "scalbln" scalbn), function!(if "jn" jn), function!(if "yn" yn),
        run(("ilogb", v(0), |cv| bome(float(&cv.1).map(|x| Val::from(f64::from(libm::ilogb(x))))))),
        run(("modf", v(0), |cv| bome(float(&cv.1).map(libm::modf).map(|(part, whole)| pair(part, whole))))),
        run(("frexp", v(0), |cv| {
            bome(float(&cv.1).map(libm::frexp).map(|(part, exponent)| pair(part, f64::from(exponent))))
        })),
        run(("fma", v(3), |mut cv| {
            let (z, y, x) = (cv.0.pop_var(), cv.0.pop_var(), cv.0.pop_var());
            bome(float(&x).and_then(|x| Ok(Val::from(libm::fma(x, float(&y)?, float(&z)?)))))
        })),
    ]
}
