"""The documentation builds without a warning or a dead link, loads nothing from elsewhere, and leaves nothing out."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml

from mldeploy.manifest import schema
from mldeploy.targets import names as kind_names
from scripts.pages import commands, components, copies, errors, manifest, pages
from tests.components.test_contracts import CLASSES

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
TEXT = pages()


class Page(HTMLParser):
    """What an HTML page loads, where it leads, and the places in it that can be led to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.links: list[str] = []
        self.places: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.places.add(values.get("id", ""))
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        elif tag in ("script", "img", "iframe", "source") and "src" in values:
            self.loaded.append(values["src"])
        elif tag == "link" and values.get("rel") not in ("canonical", "prev", "next"):
            self.loaded.append(values["href"])


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    pytest.importorskip("material", reason="needs mkdocs-material (the group docs)")
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert not done.stderr.strip(), done.stderr
    return folder


@pytest.fixture(scope="module")
def site(built):
    return {path.relative_to(built): Page(path.read_text("utf-8")) for path in built.rglob("*.html")}


def test_every_link_leads_somewhere(site):
    """Also those that MkDocs does not check: anchors of generated pages, files, links in raw HTML."""
    dead = []
    for path, page in site.items():
        if path.name == "404.html":  # its links are those of the server's root
            continue
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme in ("http", "https", "mailto"):
                continue
            target = Path(os.path.normpath(path.parent / unquote(parts.path))) if parts.path else path
            if target == Path("."):
                target = Path("index.html")
            known = site.get(target)
            if known is None:
                if not (DOCS / target).is_file():
                    dead.append(f"{path}: {link}")
            elif parts.fragment and parts.fragment not in known.places:
                dead.append(f"{path}: {link}")
    assert dead == []


def test_nothing_is_loaded_from_elsewhere(site):
    for path, page in site.items():
        assert [one for one in page.loaded if "//" in one] == [], path


def test_links_of_the_files_beside_docs():
    """README and the like are read where the repository is: their links lead to files of it."""
    for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "pipelines/README.md"):
        file = ROOT / name
        for link in re.findall(r"\]\(([^)\s]+)\)", file.read_text("utf-8")):
            if "://" not in link:
                assert (file.parent / link.partition("#")[0]).exists(), f"{name}: {link}"


def test_every_page_is_in_the_navigation():
    nav = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))["nav"]
    named = set(re.findall(r"[\w/-]+\.md", str(nav)))
    there = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")} | set(TEXT)
    hidden = {path for path in there if path.startswith(("adr/0", "reference/components/"))}
    assert there - hidden == named


# --- the generated pages ---------------------------------------------------------------------------------


def test_manifest_reference_has_every_key_with_an_example():
    page = manifest.page()
    sections = {
        m[1]: m[0] for m in re.finditer(r"^#+ .*? \{ #(\w+) \}.*?(?=^## |^### |\Z)", page, re.M | re.S)
    }
    for name, definition in schema()["$defs"].items():
        if name in ("SecretRef", "Target") or name.endswith("Ref"):
            continue
        section = sections[name.lower()]
        for key in definition["properties"]:
            assert f"| `{key}` |" in section, f"{name}.{key}"
        assert "```yaml" in section, f"{name} has no example: use it in {manifest.EXAMPLE.name}"
    assert "anything" not in page, "a value without a type"


def test_manifest_reference_knows_what_is_required():
    assert re.search(r"\| `source` \| text \| \*\*required\*\* \|", TEXT["reference/manifest.md"])
    assert "| `port` | whole number from 1 to 65535 |  | local, edge |" in TEXT["reference/manifest.md"]


def test_command_reference_has_every_option():
    found = dict(commands.commands())
    assert {"mldeploy up", "mldeploy stack export", "mldeploy import-v1"} <= set(found)
    for name, command in found.items():
        section = TEXT["reference/cli.md"].split(f"## `{name}` {{", 1)[1].split("\n## ", 1)[0]
        for parameter in command.params:
            words = parameter.opts if parameter.param_type_name == "option" else [parameter.name.upper()]
            for word in words:
                assert word in section, f"{name} {word}"
            assert parameter.help, f"{name} {parameter.name} has no help"


def test_every_component_has_a_page():
    assert {one.name for one in components.find()} == {one.__name__ for one in CLASSES}
    for component in CLASSES:
        one = next(found for found in components.find() if found.name == component.__name__)
        page = TEXT[one.path]
        assert component.type_token() in page
        arguments = sys.modules[component.__module__].__dict__[f"{component.__name__}Args"]
        for field in arguments.__dataclass_fields__:
            assert f"| `{field}` |" in page, f"{component.__name__}.{field}"
        for output in component.output_names():
            assert f"| `{output}` |" in page, f"{component.__name__}.{output}"


def test_copies_are_whole():
    for page, file in copies._PAGES.items():
        headings = re.findall(r"^#+ .*$", (ROOT / file).read_text("utf-8"), re.M)
        assert headings == re.findall(r"^#+ .*$", TEXT[page], re.M)


# --- troubleshooting -------------------------------------------------------------------------------------


def anchors(text: str) -> set[str]:
    titles = re.findall(r"^## (.*)$", text, re.M)
    return {re.sub(r"[^\w-]", "", title.lower().replace(" ", "-")) for title in titles}


def test_every_exception_is_shown_or_internal():
    """A new class of errors needs a decision: do people see it?"""
    defined = {
        node.name
        for tree in errors.trees().values()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        and not node.name.startswith("_")  # a module's own signal
        and any("Error" in ast.unparse(base) or "Exception" in ast.unparse(base) for base in node.bases)
    }
    kinds = {message.kind for message in errors.messages()}
    # Made elsewhere than where they are raised: a load's list of faults, a plugin's answer, a class with one message.
    # Or caught where they are raised.
    made_elsewhere = {
        "Interrupted",
        "StartError",
        "ManifestErrors",
        "ManifestError",
        "InitError",
        "_BreachError",
        "_TooMuch",
        "HubError",
        "ArmError",
        "LateError",
    }
    assert defined - kinds - errors.INTERNAL - made_elsewhere - {"CheckError"} == set()


def test_every_message_leads_to_a_section():
    there = anchors((DOCS / "troubleshooting.md").read_text("utf-8"))
    assert {message.section for message in errors.messages()} <= there
    assert len(errors.messages()) > 400
    page = TEXT["reference/errors.md"]
    for message in errors.messages():
        assert f"](../troubleshooting.md#{message.section})" in page
        assert " ".join(message.text.split()).replace("|", "\\|") in page, message


def literals() -> str:
    """All texts of the code, with what is only known at run time as `…`."""
    nodes = (node for tree in errors.trees().values() for node in ast.walk(tree))
    found = [
        " ".join(errors._text(node).split())
        for node in nodes
        if isinstance(node, ast.JoinedStr | ast.Constant | ast.BinOp)
    ]
    return "\n".join(found)


def test_troubleshooting_quotes_what_the_code_says():
    """What stands as code in a first column is a message (or part of one) that still exists."""
    said = literals()
    text = (DOCS / "troubleshooting.md").read_text("utf-8")
    quoted = 0
    for row in re.findall(r"^\| (.*?) \|", text, re.M):
        for quote in re.findall(r"`([^`]+)`", row):
            if " " not in quote:
                continue
            for part in (one.strip(" :;`") for one in quote.split("…")):
                if part:
                    quoted += 1
                    assert part in said, f"no message says {part!r}"
    assert quoted > 40


def test_each_page_says_its_language(built):
    for page in built.rglob("*.html"):
        language = "ja" if page.parent.name == "ja" else "en"
        assert f'<html lang="{language}"' in page.read_text("utf-8"), page


def test_the_japanese_page_has_what_the_readme_has_in_the_words_of_the_source():
    text = (DOCS / "ja/index.md").read_text()
    readme = (ROOT / "README.md").read_text()
    commands_of = re.compile(r"^\$ ((?:make|mldeploy|pulumi)\b[^#\n]*?) *(?:#.*)?$", re.MULTILINE)
    told = readme.split("## Development")[0]
    assert [one for one in commands_of.findall(told) if f"$ {one}" not in text] == []
    assert [name for name in kind_names() if f"`{name}`" not in text] == []
    assert "コンピューティング ターゲット" in text
    japanese = r"[\u3040-\u30ff\u4e00-\u9fff]"
    assert not re.findall(rf"{japanese}\([^)]*{japanese}|\([^)`\]]*{japanese}[^)]*\)", text), (
        "full-width brackets"
    )


# -- in a browser ----


@pytest.fixture(scope="module")
def browser():
    """Headless Chromium as wide as a phone."""
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("chromium and chromedriver are not installed")
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.add_experimental_option(
        "mobileEmulation", {"deviceMetrics": {"width": 360, "height": 740, "pixelRatio": 2}}
    )
    started = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield started
    started.quit()


@pytest.mark.parametrize(
    "page", ["index", "ja/index", "no-code", "concepts", "targets/index", "rollout", "local"]
)
def test_start_pages_fit_a_phone(built, browser, page):
    browser.get(f"file://{built}/{page}.html")
    wide = (
        "return [...document.querySelectorAll('article table')]"
        ".filter(table => table.getBoundingClientRect().right > 361).length"
    )
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 360
    assert browser.execute_script(wide) == 0


def test_commands_are_copied_without_their_prompt(built, browser):
    """As Material's button takes a block's text: with this attribute set."""
    browser.get(f"file://{built}/index.html")
    taken = browser.execute_script(
        "const e = document.querySelector('article .highlight code'); e.setAttribute('data-md-copying', '');"
        "const text = e.innerText; e.removeAttribute('data-md-copying'); return text"
    )
    assert taken.split("\n")[:3] == ["make up", "make score", "make status"]


def test_messages_can_be_searched(built, browser):
    browser.get(f"file://{built}/reference/errors.html")
    rows = "return [...document.querySelectorAll('article tbody tr')].filter(r => r.offsetParent !== null).length"
    every = browser.execute_script(rows)
    browser.find_element("css selector", ".messages-filter").send_keys("port 8890 is in use by process 4711")
    left = browser.execute_script(rows)
    assert 1 <= left < every / 10
    assert "is in use by" in browser.find_element("css selector", "article").text
