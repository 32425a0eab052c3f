"""The page in a browser: nothing is asked for, nothing is complained of, tables sort and search, it prints."""

import json
import shutil

import pytest

import fluxcap
from capture_files import pcap
from pages import EVIL, hostile_names
from real_captures import SAMPLES

pytest.importorskip("vl_convert")
webdriver = pytest.importorskip("selenium.webdriver")
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="needs chromium and its driver")


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    quiet = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
    profile = f"--user-data-dir={tmp_path_factory.mktemp('profile')}"
    for argument in (*quiet, "--host-resolver-rules=MAP * ~NOTFOUND", profile):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.chrome.service.Service(DRIVER))
    driver.get("about:blank")
    yield driver
    driver.quit()


def show(browser, path, width, scheme):
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    size = {"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get_log("performance"), browser.get_log("browser")
    browser.get(path.as_uri())


def requests(browser):
    told = [json.loads(one["message"])["message"] for one in browser.get_log("performance")]
    urls = [one["params"]["request"]["url"] for one in told if one["method"] == "Network.requestWillBeSent"]
    return [url for url in urls if not url.startswith("data:")]


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    evil = folder / f"{EVIL}.pcap"
    evil.write_bytes(hostile_names())
    sources = {"office": SAMPLES / "office.pcap", "hostile": evil, "empty": pcap([])}
    for name, src in sources.items():
        fluxcap.report(src, folder / f"{name}.html")
    return folder


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1400])
@pytest.mark.parametrize(("name", "charts"), [("office", 12), ("hostile", 9), ("empty", 0)])
def test_it_loads_nothing_complains_of_nothing_and_fits(browser, pages, name, charts, width, scheme):
    show(browser, pages / f"{name}.html", width, scheme)
    assert browser.get_log("browser") == []
    assert requests(browser) == [(pages / f"{name}.html").as_uri()]
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    sizes = "return [...document.querySelectorAll('svg')].map(one => one.getBoundingClientRect().width)"
    drawn = browser.execute_script(sizes)
    assert len(drawn) == charts
    assert min(drawn, default=100) >= 100
    paper = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert (paper == "rgb(255, 255, 255)") == (scheme == "light")


def test_tables_sort_and_search(browser, pages):
    show(browser, pages / "office.html", 1400, "light")
    browser.execute_script("document.querySelectorAll('details').forEach(one => one.open = true)")
    region = "document.querySelector('[aria-label=\"Hosts: the numbers\"]')"
    column = f"return [...{region}.querySelectorAll('tbody tr')].map(one => one.cells[3].textContent)"
    head = f"{region}.querySelectorAll('th button')[3]"
    for turn in ("descending", "ascending"):
        browser.execute_script(f"{head}.click()")
        cells = [int(cell.replace(",", "")) for cell in browser.execute_script(column)]
        assert cells == sorted(cells, reverse=turn == "descending")
        assert browser.execute_script(f"return {head}.parentElement.getAttribute('aria-sort')") == turn
    search = (
        f"const box = {region}.previousElementSibling; box.value = '203.0.113'; box.dispatchEvent(new Event('input'))"
    )
    browser.execute_script(search)
    shown = f"return [...{region}.querySelectorAll('tbody tr')].filter(one => !one.hidden).map(one => one.textContent)"
    rows = browser.execute_script(shown)
    assert len(rows) == 2
    assert all("203.0.113" in row for row in rows)


def test_it_prints_with_every_table_open(browser, pages):
    show(browser, pages / "office.html", 1400, "dark")
    assert len(browser.execute_cdp_cmd("Page.printToPDF", {})["data"]) > 50_000
    assert browser.execute_script("return [...document.querySelectorAll('details')].every(one => one.open)")


def test_the_head_of_a_table_comes_again_on_each_printed_page(browser, pages):
    show(browser, pages / "office.html", 1400, "light")
    browser.execute_script("document.querySelectorAll('details').forEach(one => one.open = true)")
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    shown = "return new Set([...document.querySelectorAll('th button')].map(one => getComputedStyle(one).display)).size"
    display = "return getComputedStyle(document.querySelector('th button')).display"
    # Chromium repeats no head with a box of its own in it.
    assert (browser.execute_script(shown), browser.execute_script(display)) == (1, "contents")
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
