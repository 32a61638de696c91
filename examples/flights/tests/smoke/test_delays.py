"""Asked of the service as it runs in an environment, through the gateway."""

import json
import os
import urllib.error
import urllib.request

import pytest

ADDRESS = os.environ["CIRANDA_URL_DELAYS"].rstrip("/") + "/"
PLAN = {"day": "2013-07-22", "hour": 19, "minute": 45, "carrier": "EV", "origin": "EWR", "distance": 1000}
WEATHER = {"temp": 81.0, "humid": 80.0, "wind_speed": 12.0, "precip": 0.1, "pressure": 1008.0, "visib": 5.0}
EVENING = PLAN | WEATHER
MORNING = EVENING | {"hour": 6, "minute": 0}


def ask(asked: object) -> object:
    request = urllib.request.Request(ADDRESS, json.dumps(asked).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def test_one_flight_gets_one_probability() -> None:
    assert 0 < ask(EVENING) < 1


def test_many_flights_get_as_many_in_their_order() -> None:
    assert ask([MORNING, EVENING]) == [ask(MORNING), ask(EVENING)]


def test_a_summer_evening_is_later_than_its_morning() -> None:
    assert ask(EVENING) > 2 * ask(MORNING)


def test_a_flight_without_weather_is_answered() -> None:
    assert 0 < ask(PLAN) < 1


def test_a_flight_without_an_origin_is_refused_by_name() -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        ask({name: value for name, value in EVENING.items() if name != "origin"})
    with refused.value as answer:
        assert answer.code == 422
        assert "origin" in answer.read().decode()
