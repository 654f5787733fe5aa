"""A filter in a call through sudo sees the data and nothing of the account that the program runs as."""

from __future__ import annotations

import pytest

from usermgmt.kernel import jqfilter

FILTERS = ["env", "$ENV", "$ENV.PATH", '"\\(env.PATH)"', "[.] | env"]


@pytest.mark.parametrize("expression", FILTERS)
def test_the_environment_is_not_read(expression):
    assert list(jqfilter.run(expression, [{}]))
    with pytest.raises(jqfilter.BadFilter):
        jqfilter.run(expression, [{}], narrow=True)
    with pytest.raises(jqfilter.BadFilter):
        jqfilter.run_one(expression, {}, narrow=True)


def test_the_data_is():
    assert list(jqfilter.run(".[].environment", [{"environment": 1}], narrow=True)) == ["1"]
