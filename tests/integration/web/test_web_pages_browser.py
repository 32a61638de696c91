"""The pages in a real Chromium: read by everybody, live, inert to hostile text, and asking nobody else for anything."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from support import browser as browsers
from support import pages
from support.pages import PROJECT, Shown

SIZES = {"wide": (1280, 800), "narrow": (360, 740)}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browsers.chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    with pages.filled(tmp_path_factory.mktemp("pages") / "home") as filled:
        pages.busy(filled)
        with pages.shown(filled) as served:
            served.answer("r4", 40)
            served.answer("r4", 3, status=503)
            yield served


@contextmanager
def signed_in(
    chromium: Browser,
    shown: Shown,
    *,
    size: str = "wide",
    scheme: str = "light",
    script: bool = True,
    forgiven: str = "404 (Not Found)",
    locale: str = "en-US",
) -> Iterator[Page]:
    """A page of a browser that is signed in; what it complains of (but what is forgiven), and what it asks others for, fails the test."""
    width, height = SIZES[size]
    context = chromium.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
        java_script_enabled=script,
        locale=locale,
    )
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if forgiven not in message.text else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda asked: None if asked.url.startswith(shown.url) else said.append(asked.url))
    page.goto(f"{shown.url}/login?code={shown.filled.link()}")
    page.wait_for_url(f"{shown.url}/")
    yield page
    context.close()
    assert said == []


@pytest.mark.parametrize(("size", "scheme"), [("wide", "light"), ("narrow", "dark")])
def test_every_page_can_be_read_by_everybody(chromium: Browser, shown: Shown, size: str, scheme: str) -> None:
    axe = Axe()
    with signed_in(chromium, shown, size=size, scheme=scheme) as page:
        for path in [*pages.PATHS, "/nobody"]:
            page.goto(shown.url + path)
            found = axe.run(page)
            assert found.violations_count == 0, f"{path}\n{found.generate_report()}"
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{path} is wider than {size}"


@pytest.mark.parametrize("path", ["/", "/login?code=nothing"])
def test_pages_before_signing_in_can_be_read_by_everybody(chromium: Browser, shown: Shown, path: str) -> None:
    context = chromium.new_context()
    page = context.new_page()
    page.goto(shown.url + path)
    expect(page.get_by_text("ciranda open").first).to_be_visible()
    assert Axe().run(page).violations_count == 0
    context.close()


ACTS = ("promote?release=r3", "approve?release=r3", "rollback?to=r3", "hold", "let-go")


def test_acts_can_be_read_by_everybody_in_portuguese(chromium: Browser, shown: Shown) -> None:
    axe = Axe()
    with signed_in(chromium, shown, size="narrow", scheme="dark", locale="pt-BR") as page:
        for path in [
            f"/{PROJECT}/environments/prod",
            *(f"/{PROJECT}/environments/prod/{act}" for act in ACTS),
            "/-/users",
        ]:
            page.goto(shown.url + path)
            assert page.evaluate("document.documentElement.lang") == "pt"
            found = axe.run(page)
            assert found.violations_count == 0, f"{path}\n{found.generate_report()}"
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{path} is wider than 360 px"


def test_an_environment_is_held_by_keyboard_without_script(chromium: Browser, shown: Shown) -> None:
    with signed_in(chromium, shown, script=False) as page:
        page.goto(f"{shown.url}/{PROJECT}/environments/prod")
        page.get_by_role("link", name="Hold", exact=True).focus()
        page.keyboard.press("Enter")
        page.get_by_label("Why").focus()
        page.keyboard.type("the fair is on")
        page.keyboard.press("Tab")
        expect(page.get_by_role("button", name="Hold prod")).to_be_focused()
        page.keyboard.press("Enter")
        page.wait_for_url(f"{shown.url}/{PROJECT}/environments/prod")
    assert shown.acts()[-1] == ("hold", PROJECT, "prod", False, "the fair is on", "admin")


def test_a_push_changes_an_open_page_without_a_reload(chromium: Browser, shown: Shown) -> None:
    with signed_in(chromium, shown) as page:
        page.goto(f"{shown.url}/{PROJECT}")
        expect(page.locator("#pulse")).to_have_text("live")
        page.evaluate("window.mark = 'the same document'")
        link = page.get_by_role("link", name="All changes")
        link.focus()
        shown.filled.push(70, "Arrive while it is open")
        expect(page.locator("#change-70")).to_contain_text("Arrive while it is open")
        expect(page.locator("#stage-gate-")).to_contain_text("change 70")
        expect(page.locator("#said")).to_contain_text("is recorded")
        assert page.evaluate("window.mark") == "the same document"
        assert link.evaluate("link => link === document.activeElement"), "focus stays"


def test_the_lines_of_a_change_come_as_they_are_written(chromium: Browser, shown: Shown) -> None:
    change = shown.filled.push(71, "Talk for a while")
    with signed_in(chromium, shown) as page:
        page.goto(f"{shown.url}/{PROJECT}/changes/71")
        for text in ("  code     ✓ 14 tests", "  flights  ✓ 336,776 rows"):
            expect(page.locator("#pulse")).to_have_text("live")
            shown.filled.say(change, text)
            expect(page.locator("pre.lines")).to_contain_text(text)


def test_rates_follow_the_traffic(chromium: Browser, shown: Shown) -> None:
    with signed_in(chromium, shown) as page:
        page.goto(f"{shown.url}/{PROJECT}/services/delays?environment=prod")
        expect(page.locator("svg.chart")).to_be_visible()
        total = page.locator("#release-r4 td[data-label='Requests in all']")
        before = int(total.inner_text().replace(",", ""))
        shown.answer("r4", 1000)
        expect(total).to_have_text(f"{before + 1000:,}")


def test_hostile_text_is_inert(chromium: Browser, shown: Shown) -> None:
    with signed_in(chromium, shown) as page:
        for path in (
            "/",
            f"/{PROJECT}",
            f"/{PROJECT}/changes/3",
            f"/{PROJECT}/changes/5",
            f"/{PROJECT}/runs/5/log",
            f"/{PROJECT}/jobs",
        ):
            page.goto(shown.url + path)
            assert "taken" not in page.title()
            assert page.locator("main script, main img").count() == 0
        assert page.get_by_text(pages.HOSTILE).count() == 1


def test_the_policy_stops_a_script_that_is_slipped_in(chromium: Browser, shown: Shown) -> None:
    context = chromium.new_context()
    page = context.new_page()
    page.goto(shown.url)
    ran = page.evaluate(
        """() => {
            const made = document.createElement("script");
            made.textContent = "window.taken = true";
            document.body.append(made);
            return window.taken === true;
        }"""
    )
    assert not ran
    context.close()


def test_it_works_without_script(chromium: Browser, shown: Shown) -> None:
    with signed_in(chromium, shown, script=False) as page:
        page.get_by_role("link", name=PROJECT).first.click()
        page.get_by_role("link", name="Changes", exact=True).click()
        expect(page.locator("#change-4")).to_contain_text("Train deeper trees")


def test_by_keyboard_the_first_stop_skips_to_the_content(chromium: Browser, shown: Shown) -> None:
    with signed_in(chromium, shown) as page:
        page.goto(f"{shown.url}/{PROJECT}")
        page.keyboard.press("Tab")
        skip = page.get_by_role("link", name="Skip to the content")
        expect(skip).to_be_focused()
        expect(skip).to_be_in_viewport()
        page.keyboard.press("Enter")
        expect(page.locator("main")).to_be_focused()


def test_a_server_that_goes_away_is_told(chromium: Browser, shown: Shown) -> None:
    with signed_in(chromium, shown, forgiven="503 (Service Unavailable)") as page:
        page.goto(f"{shown.url}/{PROJECT}/changes")
        expect(page.locator("#pulse")).to_have_text("live")
        page.route("**/*", lambda route: route.fulfill(status=503, body="away"))
        shown.filled.push(72, "Nobody hears this")
        expect(page.locator("#pulse")).to_contain_text("not live")
