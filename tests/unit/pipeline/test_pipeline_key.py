"""Keys: equal parts give equal keys, and no part can change without the key."""

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ciranda.kernel import digest
from ciranda.pipeline import key
from ciranda.pipeline.fingerprint import Code
from ciranda.pipeline.records import Input, Version

names = st.text("abcdef", min_size=1, max_size=4)
scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5)
)
codes = st.builds(Code, names, names, names, names, st.just(()))
around = st.builds(key.Surroundings, st.dictionaries(names, names, max_size=3), names, names)
parts = st.builds(
    key.Parts,
    codes,
    st.dictionaries(names, scalars, max_size=3),
    st.dictionaries(names, st.lists(names, min_size=2, max_size=2), max_size=3),
    around,
)


@given(parts)
def test_the_order_in_which_things_are_named_does_not_count(given: key.Parts) -> None:
    turned = replace(
        given,
        parameters=dict(reversed(given.parameters.items())),
        inputs=dict(reversed(given.inputs.items())),
        around=replace(given.around, distributions=dict(reversed(given.around.distributions.items()))),
    )
    assert turned.key == given.key


@given(parts, parts)
def test_two_keys_are_equal_only_if_all_that_counts_is(one: key.Parts, two: key.Parts) -> None:
    def told(each: key.Parts) -> Any:
        return repr(
            [each.code.fingerprint, sorted(each.parameters.items(), key=str), sorted(each.inputs.items()), each.around.python,
             each.around.platform, sorted(each.around.distributions.items())]
        )  # fmt: skip

    assert (one.key == two.key) == (told(one) == told(two))


@given(parts, names, names)
def test_the_version_of_a_dependency_counts(given: key.Parts, name: str, version: str) -> None:
    was = replace(given, around=replace(given.around, distributions={**given.around.distributions, name: version}))
    now = replace(
        given, around=replace(given.around, distributions={**given.around.distributions, name: version + "1"})
    )
    assert was.key != now.key


def test_what_stands_for_an_input() -> None:
    version = Version("a", "b3:1", "k", "json", 1, "dataset")
    given = (Input("a", "a", None, ""), Input("now", "a", "live", ""), Input("facts", "", "run", ""))
    told = key.inputs(given, {"a": version}, {}, {"commit": "c"})
    assert told == {"a": ["b3:1", "json"], "now": ["live"], "facts": ["run", {"commit": "c"}]}
    assert key.inputs(given[1:2], {}, {"a": version}, {}) == {"now": ["live", "b3:1", "json"]}


@given(parts)
def test_a_key_is_the_digest_of_the_canonical_form_of_all_its_parts(given: key.Parts) -> None:
    assert given.key == digest.of("key", given.told())
