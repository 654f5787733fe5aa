"""Login identifiers: what a username, an e-mail address and a phone number may be, and the form each is unique in.

Imports run these for every row, so plain values take a pattern that admits only what the library would pass as well
(tests prove it), and the library, imported on first need, decides about all others.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

from usermgmt.kernel.errors import Invalid
from usermgmt.kernel.i18n import N_, _

if TYPE_CHECKING:
    from email_validator import ValidatedEmail
    from phonenumbers import NumberParseException, PhoneNumber
    from precis_i18n.profile import Profile

USERNAME_MAX: Final = 128
EMAIL_MAX: Final = 254


class InvalidUsername(Invalid):
    """{field}: {problem}"""

    code = "username.invalid"
    hint = N_(
        "use 1 to 128 letters, digits and signs such as . _ - @, without - or + in front, spaces, quotes, : / and ,"
    )


class InvalidEmail(Invalid):
    """{field}: {problem}"""

    code = "email.invalid"
    hint = N_("write it as NAME@DOMAIN, for example alice@example.com")


class InvalidPhone(Invalid):
    """{field}: {problem}"""

    code = "phone.invalid"
    hint = N_("write it with its country code, for example +8613800138000")


class Username(NamedTuple):
    """A username as it is shown (``display``) and as it is unique (``norm``)."""

    display: str
    norm: str


class Email(NamedTuple):
    """An e-mail address as it is shown and written to (``display``) and as it is unique (``norm``)."""

    display: str
    norm: str


# ASCII without the refused signs, and the ideographs of Unicode 1.1, which PRECIS passes unchanged; the dot in front
# is left to the slow path, which knows what "." and ".." are. One class for both would take 3 ms to compile.
_is_plain_username = re.compile(r"(?![-+.])(?:[!#-&(-+\-.0-9;-_a-~]++|[\u4e00-\u9fa5]++)++").fullmatch
# Unicode's Quotation_Mark property and the backtick
_QUOTES = frozenset("\"'`«»‘’‚‛“”„‟‹›⹂「」『』〝〞〟﹁﹂﹃﹄＂＇｢｣")
_REFUSED = _QUOTES | frozenset(":/,")
# a canonical composition takes four code points at most, so a longer text cannot become short enough
_USERNAME_RAW_MAX = 4 * USERNAME_MAX
_PRECIS_PROBLEMS = {
    "bidi_rule": N_("its right-to-left and left-to-right characters do not go together (RFC 5893)"),
    "controls": N_("it holds the control character {char}"),
    "not_idempotent": N_("it has no stable form"),
    "precis_ignorable_properties": N_("it holds the invisible character {char}"),
    "spaces": N_("it holds a space, {char}"),
}


def username(text: str) -> Username:
    """Read a username: 1 to 128 code points of the PRECIS profile UsernameCaseMapped (RFC 8265 section 3.3).

    ``display`` keeps what the person typed, in NFC; ``norm`` is the enforced form (widths and case mapped), and the
    ``norm`` of a ``display`` is always this one. Beyond PRECIS, names that the command line or a path would
    misread are refused: with ``-`` or ``+`` in front, with ``:``, ``/``, ``,`` or a quote, and ``.`` and ``..``
    themselves. ``@`` is allowed. Raises InvalidUsername.
    """
    if len(text) <= USERNAME_MAX and _is_plain_username(text):
        return Username(text, text.lower())
    return _any_username(text)


def _any_username(text: str) -> Username:
    if not text:
        raise InvalidUsername(field="username", problem=_("it is empty"))
    if len(text) > _USERNAME_RAW_MAX:
        raise _long_username()
    display = unicodedata.normalize("NFC", text)
    _refuse_signs(display)
    try:
        norm = _precis().enforce(display)
    except UnicodeEncodeError as error:
        raise InvalidUsername(field="username", problem=_precis_problem(error, display)) from None
    # full-width signs become the plain ones only here
    _refuse_signs(norm)
    if len(display) > USERNAME_MAX or len(norm) > USERNAME_MAX:
        raise _long_username()
    return Username(display, norm)


@cache
def _precis() -> Profile:
    from precis_i18n import get_profile

    return get_profile("UsernameCaseMapped")


def _refuse_signs(text: str) -> None:
    if text in (".", ".."):
        problem = _("it is the name of a folder in every path")
    elif text[0] in "-+":
        problem = _("it begins with {char}").format(char=text[0])
    elif refused := next((char for char in text if char in _REFUSED), ""):
        problem = _("it holds {char}").format(char=_named(refused))
    else:
        return
    raise InvalidUsername(field="username", problem=problem)


def _long_username() -> InvalidUsername:
    problem = _("it is longer than {limit} characters").format(limit=USERNAME_MAX)
    return InvalidUsername(field="username", problem=problem)


def _precis_problem(error: UnicodeEncodeError, display: str) -> str:
    """Say in words what the library's ``DISALLOWED/kind`` is about."""
    # the library names the mapped character; the typed one stands at the same place where mapping kept the length
    names = display if len(display) == len(error.object) else error.object
    char = names[error.start]
    # it calls a full-width space a compatibility character
    kind = "spaces" if unicodedata.category(char) == "Zs" else error.reason.rpartition("/")[2]
    return _(_PRECIS_PROBLEMS.get(kind, N_("{char} is not allowed in it"))).format(char=_named(char))


def _named(char: str) -> str:
    point = f"U+{ord(char):04X}"
    return f"{char} ({point})" if char.isprintable() and not char.isspace() else point


_NEVER_DELIVERED = ["arpa", "invalid", "onion"]

# One @, dot atoms, no label with two hyphens (as xn-- has), and none of the names that no mail server has
_is_plain_email = re.compile(
    r"[A-Za-z0-9_!#$%&'*+\-/=?^`{|}~]++(?:\.[A-Za-z0-9_!#$%&'*+\-/=?^`{|}~]++)*+@"
    r"(?:[A-Za-z0-9]++(?:-[A-Za-z0-9]++)*+\.)++"
    r"(?!(?i:arpa|invalid|onion)\Z)[A-Za-z]++"
).fullmatch
# short enough that neither the local part nor a label of the domain can be too long
_PLAIN_EMAIL_MAX = 64
# RFC 2142: mailboxes whose case never counts, so that the library writes them small
_ROLE_MAILBOXES = frozenset(
    {"info", "marketing", "sales", "support", "abuse", "noc", "security", "postmaster", "hostmaster"}
    | {"usenet", "news", "webmaster", "www", "uucp", "ftp"}
)
# what the library says most, marked so that the catalogue has it; the rest stays English
EMAIL_PROBLEMS: Final = (
    N_("An email address must have an @-sign."),
    N_("There must be something before the @-sign."),
    N_("There must be something after the @-sign."),
    N_("An email address cannot have two periods in a row."),
    N_("An email address cannot start with a period."),
    N_("An email address cannot end with a period."),
    N_("An email address cannot have a period immediately before the @-sign."),
    N_("An email address cannot have a period immediately after the @-sign."),
    N_("Quoting the part before the @-sign is not allowed here."),
    N_("A bracketed IP address after the @-sign is not allowed here."),
    N_("A display name and angle brackets around the email address are not permitted here."),
    N_("The part after the @-sign is not valid. It should have a period."),
    N_("The part after the @-sign is not valid. It is not within a valid top-level domain."),
    N_("The part after the @-sign is a special-use or reserved name that cannot be used with email."),
)

EMAIL_CHARACTERS: Final = (
    N_("The email address contains invalid characters before the @-sign: {chars}."),
    N_("The email address contains unsafe characters: {chars}."),
    N_("The part after the @-sign contains invalid characters: {chars}."),
)


def email(text: str) -> Email:
    """Read an e-mail address, by the syntax of RFC 5321, 6531 and IDNA 2008, at most 254 bytes of UTF-8; no look-up.

    ``display`` is the library's normalised form: the local part in NFC and its case kept, the domain in small letters
    and in its own script. ``norm`` is the case-folded local part with the domain in its ASCII form, which does not
    depend on anybody's version of Unicode. Quoted local parts, bracketed addresses, ``Name <address>``, domains
    without a dot and names that no mail server has (``.arpa``, ``.invalid``, ``.onion``) are refused.
    Raises InvalidEmail.
    """
    if len(text) <= _PLAIN_EMAIL_MAX and _is_plain_email(text):
        norm = text.lower()
        return Email(text, norm) if norm == text else _cased_email(text, norm)
    return _any_email(text)


def _cased_email(text: str, norm: str) -> Email:
    local, _at, domain = norm.partition("@")
    return Email(norm if local in _ROLE_MAILBOXES else f"{text[: len(local)]}@{domain}", norm)


def _any_email(text: str) -> Email:
    import email_validator
    from email_validator import EmailNotValidError, validate_email

    # the library's own way to say it: mail servers of an intranet do deliver to corp.local and lab.test
    email_validator.SPECIAL_USE_DOMAIN_NAMES[:] = _NEVER_DELIVERED

    # the library says so too, after going through the whole of it character by character
    if len(text) > EMAIL_MAX:
        problem = _("it is longer than {limit} bytes").format(limit=EMAIL_MAX)
        raise InvalidEmail(field="email", problem=problem)
    try:
        found = validate_email(text, check_deliverability=False)
    except EmailNotValidError as error:
        raise InvalidEmail(field="email", problem=_email_problem(str(error))) from None
    return Email(found.normalized, _email_norm(found))


def _email_problem(sentence: str) -> str:
    """Return the library's sentence in the language of this invocation; the characters that it names stay."""
    words, colon, chars = sentence.partition(": ")
    return _(words + ": {chars}.").replace("{chars}", chars.removesuffix(".")) if colon else _(sentence)


def _email_norm(found: ValidatedEmail) -> str:
    # canonical caseless matching (Unicode 3.13, D145) asks for NFD before folding; it never makes the local part longer
    # in code points than it was in bytes, so norm keeps the limit as well
    folded = unicodedata.normalize("NFD", found.local_part).casefold()
    return f"{unicodedata.normalize('NFC', folded)}@{found.ascii_domain}"


# the prefixes in which the numbering metadata takes every number; parts of 161 and 174 are left to the library
_MOBILE_CN = r"1(?:[38][0-9]|4[57]|[59][0-35-9]|6[25-7]|7[0-35-8])[0-9]{8}"
_is_plain_phone = re.compile(rf"\+86{_MOBILE_CN}").fullmatch
_is_plain_phone_cn = re.compile(_MOBILE_CN).fullmatch
# address books put marks of direction around numbers, which nobody sees or means
_UNSEEN = re.compile(r"[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]+")
# digits of any script, spaces, dashes, dots, brackets; letters and # would be read as words and extensions
_PHONE = re.compile(
    r"[(\uff08]?[+\uff0b]?[\d \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"
    r"\-\u2010-\u2015\u2212\u30fc\uff0d.\uff0e()\uff08\uff09\[\]\uff3b\uff3d]+"
)
_NO_REGION = N_("write it with its country code, or set the region of the store: usermgmt init --region CC")


def phone(text: str, region: str = "") -> str:
    """Read a phone number and return it in E.164 (``+8613800138000``), which is both shown and unique.

    ``region`` (ISO 3166, two letters) is where numbers without a country code belong, and whose dialling prefix
    (``00``) is understood; without one they are refused. A number counts when the numbering metadata of
    phonenumberslite knows its range. Extensions and numbers spelt in letters are refused. Raises InvalidPhone.
    """
    if _is_plain_phone(text):
        return text
    if region == "CN" and _is_plain_phone_cn(text):
        return f"+86{text}"
    return _any_phone(text, region.upper())


def _any_phone(text: str, region: str) -> str:
    import phonenumbers

    number = _UNSEEN.sub("", text).strip()
    if number[:4].lower() == "tel:":
        number = number[4:].strip()
    if not _PHONE.fullmatch(number):
        raise InvalidPhone(field="phone", problem=_("it is not written as a phone number"))
    try:
        parsed = phonenumbers.parse(number, region or None)
    except phonenumbers.NumberParseException as error:
        raise _unread_phone(error, number, region) from None
    if not phonenumbers.is_valid_number(parsed):
        raise InvalidPhone(field="phone", problem=_phone_problem(parsed))
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def _unread_phone(error: NumberParseException, number: str, region: str) -> InvalidPhone:
    if error.error_type != error.INVALID_COUNTRY_CODE:
        return InvalidPhone(field="phone", problem=_("it is not written as a phone number"))
    if region or "+" in number or "＋" in number:
        return InvalidPhone(field="phone", problem=_("its country code is not in use"))
    return InvalidPhone(_NO_REGION, field="phone", problem=_("it has no country code, and the store has no region"))


def _phone_problem(parsed: PhoneNumber) -> str:
    from phonenumbers import ValidationResult, is_possible_number_with_reason

    reason = is_possible_number_with_reason(parsed)
    if reason in (ValidationResult.TOO_SHORT, ValidationResult.IS_POSSIBLE_LOCAL_ONLY):
        return _("it has too few digits")
    if reason == ValidationResult.TOO_LONG:
        return _("it has too many digits")
    return _("the numbering plan of +{code} has no such number").format(code=parsed.country_code)
