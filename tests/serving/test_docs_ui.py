"""`/docs`: what is sent for the page, and what a person sees in a browser."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.serving.replica import ROOT, TEXT_SCRIPT, Replica

PUBLISHED = {
    "swagger-ui-bundle.js": "e6a898692f2d768e807c3ba4626068a69a2c5dd960dd6c76f3e4d3a3de180af2",
    "swagger-ui.css": "5ed08757e53da3e026d6cbecc61fe5d43585c9560b302d534ad56692519a273d",
    "favicon-32x32.png": "3ed612f41e050ca5e7000cad6f1cbe7e7da39f65fca99c02e99e6591056e5837",
}
PREFIX = "/api/v1/service/churn"
SCRIPT = (ROOT / "entry_scripts/diabetes/score.py").read_text()
MODEL = str(ROOT / "models/diabetes")


@pytest.fixture(scope="module")
def served(shared_replica: Callable[..., Replica]) -> Replica:
    return shared_replica(SCRIPT, model_dir=MODEL, auth_enabled=True)


def linked(page: str) -> list[str]:
    return re.findall(r'(?:src|href)="([^"]+)"', page)


@pytest.mark.parametrize("prefix", ["", PREFIX])
def test_the_page_and_all_it_links_are_open_and_safe(served: Replica, prefix: str) -> None:
    page = served.request(f"{prefix}/docs")
    assert page.status == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; ")
    assert "unsafe" not in policy
    links = linked(page.body.decode())
    assert len(links) == 5
    for link in links:
        answer = served.request(f"{prefix}/{link}")
        assert answer.status == 200, link
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_files_are_those_published(served: Replica, name: str) -> None:
    plain = served.request(f"/docs/{name}")
    assert hashlib.sha256(plain.body).hexdigest() == PUBLISHED[name]
    packed = served.request(f"/docs/{name}", headers={"Accept-Encoding": "br;q=0.5, gzip"})
    assert plain.headers["Cache-Control"] == packed.headers["Cache-Control"] == "no-cache"
    if name.endswith(".png"):
        assert "Content-Encoding" not in packed.headers
        return
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.headers["Vary"] == plain.headers["Vary"] == "Accept-Encoding"
    assert packed.headers["ETag"] != plain.headers["ETag"]
    assert gzip.decompress(packed.body) == plain.body


@pytest.mark.parametrize(
    ("accepted", "packed"),
    [("gzip", True), ("*", True), ("GZIP;q=0.1", True), ("gzip;q=0", False), ("gzip; q=0.0", False),
     ("identity", False), ("", False), ("gzipped", False)],
)  # fmt: skip
def test_gzip_is_sent_to_who_takes_it(served: Replica, accepted: str, packed: bool) -> None:
    answer = served.request("/docs/swagger-ui.css", headers={"Accept-Encoding": accepted})
    assert ("Content-Encoding" in answer.headers) == packed


@pytest.mark.parametrize("path", ["/docs", "/docs/swagger-ui.css", "/docs/start.js"])
def test_what_the_client_has_is_not_sent_again(served: Replica, path: str) -> None:
    whole = served.request(path)
    tag = whole.headers["ETag"]
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        answer = served.request(path, headers={"If-None-Match": known})
        assert (answer.status, answer.body, answer.headers["ETag"]) == (304, b"", tag)
    assert served.request(path, headers={"If-None-Match": '"other"'}).body == whole.body
    head = served.request(path, method="HEAD")
    assert (head.status, head.body, head.headers["Content-Length"]) == (200, b"", str(len(whole.body)))


@pytest.mark.parametrize(
    "path", ["/docs/", "/docs/x.js", "/docs/../score", "/docs/LICENSE", "/docs/%2e%2e/__init__.py", "//docs"]
)
def test_nothing_else_is_there(served: Replica, path: str) -> None:
    answer = served.raw(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 404 "), answer


def test_only_reading_is_allowed(served: Replica) -> None:
    assert served.request("/docs", b"x").status == 405
    assert served.request("/docs/start.js", b"x").status == 405


def test_it_can_be_switched_off(replica: Callable[..., Replica]) -> None:
    one = replica(TEXT_SCRIPT, docs_enabled=False)
    assert {one.request(path).status for path in ("/docs", "/docs/start.js", f"{PREFIX}/docs")} == {404}
    assert one.request("/swagger.json").status == 200


def test_the_services_name_is_text(replica: Callable[..., Replica]) -> None:
    one = replica(TEXT_SCRIPT, service="<script>alert(1)</script>")
    assert b"<script>alert" not in one.request("/docs").body


def test_every_file_is_in_the_distribution() -> None:
    """A wheel holds what `serving/pyproject.toml` names."""
    tomllib = pytest.importorskip("tomllib", reason="Python 3.10 has no TOML reader")
    tool = tomllib.loads((ROOT / "serving/pyproject.toml").read_text())["tool"]["setuptools"]
    assert "serving.docs_ui" in tool["packages"]
    assert tool["package-dir"]["serving.docs_ui"] == "docs_ui"
    folder = ROOT / "serving/docs_ui"
    packed = {path for pattern in tool["package-data"]["serving.docs_ui"] for path in folder.glob(pattern)}
    assert packed == {path for path in (folder / "assets").iterdir() if path.is_file()}
    assert {"LICENSE", "NOTICE"} <= {path.name for path in packed}


# -- in a browser ----


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Headless Chromium that logs its console and its requests."""
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("chromium and chromedriver are not installed")
    webdriver = pytest.importorskip("selenium.webdriver")
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = program
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1200,1500"):
        options.add_argument(argument)
    # The certificate of the test is its own.
    options.add_argument("--ignore-certificate-errors")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    with contextlib.closing(_Quit(webdriver.Chrome(options=options, service=Service(driver)))) as held:
        yield held.driver


class _Quit:
    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def close(self) -> None:
        self.driver.quit()


def find(browser: Any, selector: str, seconds: float = 20) -> Any:
    """The first element that matches, once there is one to be seen."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for element in browser.find_elements("css selector", selector):
            if element.is_displayed():
                return element
        time.sleep(0.05)
    raise AssertionError(f"no {selector} on the page:\n{browser.find_element('tag name', 'body').text}")


def press(browser: Any, selector: str) -> None:
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", find(browser, selector))
    find(browser, selector).click()


def requested(browser: Any) -> list[str]:
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    return [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]


def execute(browser: Any) -> str:
    """Send the sample as it is filled in; the status and the body that are shown."""
    press(browser, "[id*=RunMLService] .opblock-summary-control")
    sample = find(browser, "[id*=RunMLService] textarea").get_attribute("value")
    assert json.loads(sample) == {"data": [[0.04, 0.05, 0.06, 0.02, -0.04, -0.03, -0.04, 0.0, 0.02, -0.02]]}
    press(browser, "[id*=RunMLService] .btn.execute")
    return find(browser, "[id*=RunMLService] .live-responses-table .response").text


def authorize(browser: Any, key: str) -> None:
    press(browser, ".btn.authorize")
    find(browser, ".modal-ux input").send_keys(key)
    press(browser, ".modal-ux .btn.authorize")
    press(browser, ".modal-ux .btn-done")


@pytest.mark.parametrize(
    ("prefix", "key", "tls"),
    [
        ("", "", False),
        (PREFIX, "Bearer second-key", True),
        pytest.param(PREFIX, "", False, marks=pytest.mark.reliability),
        pytest.param("", "first-key", False, marks=pytest.mark.reliability),
    ],
)
def test_a_person_can_try_the_service(
    browser: Any, replica: Callable[..., Replica], tmp_path: Path, prefix: str, key: str, tls: bool
) -> None:
    config: dict[str, Any] = {}
    if tls:
        from tests.serving.test_tls import write_certificate

        write_certificate(tmp_path, "localhost")
        config["ssl"] = {"cert_file": str(tmp_path / "cert.pem"), "key_file": str(tmp_path / "key.pem")}
    one = replica(SCRIPT, model_dir=MODEL, auth_enabled=bool(key), **config)
    origin = f"{'https' if tls else 'http'}://localhost:{one.port}"
    browser.get(f"{origin}{prefix}/docs")
    find(browser, "[id*=RunMLService]")
    assert bool(browser.find_elements("css selector", ".btn.authorize")) == bool(key)
    if key:
        authorize(browser, key)
    shown = execute(browser)
    assert shown.startswith("200")
    assert re.search(r"\[\s*188\.8999\d+\s*\]", shown), shown
    urls = requested(browser)
    assert f"{origin}{prefix}/score" in urls
    assert [url for url in urls if not url.startswith((origin, "data:", "about:"))] == []
    assert [entry for entry in browser.get_log("browser") if entry["level"] != "INFO"] == []


@pytest.mark.reliability
def test_a_wrong_key_is_told(browser: Any, served: Replica) -> None:
    browser.get(f"http://localhost:{served.port}/docs")
    find(browser, "[id*=RunMLService]")
    authorize(browser, "wrong")
    shown = execute(browser)
    assert shown.startswith("401")
    assert "needs a valid key" in shown
    browser.get_log("browser")
