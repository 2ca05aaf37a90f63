"""A song's page in a browser: the cursor follows the player, clicks and keys move it, nothing is asked for."""

import json
import shutil
import time

import pytest

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(not (BROWSER and DRIVER), reason="there is no chromium or no chromedriver")

OPTIONS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--mute-audio",
    "--autoplay-policy=no-user-gesture-required",
)  # fmt: skip


@pytest.fixture(scope="module")
def browser():
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    for option in OPTIONS:
        options.add_argument(option)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture
def page(browser, pages):
    browser.get((pages / "long.html").as_uri())
    wait(lambda: browser.execute_script("return document.querySelector('audio').readyState") >= 2)
    return browser


def wait(until, seconds=15.0):
    end = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < end
        time.sleep(0.05)


def second(browser):
    return browser.execute_script("return document.querySelector('audio').currentTime")


def cursors(browser):
    """Where the cursor of each picture is, as a share of its width."""
    return browser.execute_script(
        "return [...document.querySelectorAll('.plot')].map(plot => { const box = plot.getBoundingClientRect(),"
        "line = plot.querySelector('.cursor').getBoundingClientRect();"
        "return (line.left + line.width / 2 - box.left) / box.width; })"
    )


def press(browser, key):
    webdriver.ActionChains(browser).send_keys(key).perform()


def test_the_cursor_follows_the_player(page):
    assert cursors(page) == pytest.approx([0] * 5, abs=2e-3)
    press(page, " ")
    wait(lambda: second(page) > 0.5)
    press(page, " ")
    wait(lambda: page.execute_script("return document.querySelector('audio').paused"))
    time.sleep(0.1)
    at = second(page)
    wait(lambda: cursors(page) == pytest.approx([at / 10] * 5, abs=5e-3), 3)


def test_a_click_moves_it(page):
    plots = page.find_elements("css selector", ".plot")
    assert len({(plot.rect["x"], plot.rect["width"]) for plot in plots}) == 1  # one axis of time
    for plot, share in ((plots[0], 0.25), (plots[3], 0.75)):
        across = round((share - 0.5) * plot.rect["width"])
        webdriver.ActionChains(page).move_to_element_with_offset(plot, across, 0).click().perform()
        assert second(page) == pytest.approx(10 * share, abs=0.1)
        assert cursors(page) == pytest.approx([share] * 5, abs=5e-3)


def test_keys_move_it_and_tables_tell_what_is_said_there(page):
    page.execute_script("document.querySelector('audio').currentTime = 3.2")
    press(page, "\ue014")  # to the right
    assert second(page) == pytest.approx(8.2, abs=0.01)
    press(page, "\ue012")
    press(page, "\ue012")
    assert second(page) == 0
    press(page, "\ue014")
    assert second(page) == pytest.approx(5, abs=0.01)
    cells = [cell.text for cell in page.find_elements("css selector", "td.here")]
    data = page.execute_script("return JSON.parse(document.getElementById('values').textContent)")
    expected = []
    for key in ("model0", "model1"):
        seconds, values, lines = (data[key][name] for name in ("seconds", "values", "lines"))
        after = next(number for number, at in enumerate(seconds) if at > 5)
        share = (5 - seconds[after - 1]) / (seconds[after] - seconds[after - 1])
        row = [a + share * (b - a) for a, b in zip(values[after - 1], values[after], strict=True)]
        expected += [sum(row[column] for column in columns) for columns in lines]
    assert [float(cell) for cell in cells] == pytest.approx(expected, abs=0.0051)
    assert page.find_element("css selector", ".dot").is_displayed()


def test_nothing_is_asked_for_and_nothing_fails(page):
    messages = [json.loads(entry["message"])["message"] for entry in page.get_log("performance")]
    asked = [it["params"]["request"]["url"] for it in messages if it["method"] == "Network.requestWillBeSent"]
    assert {url.split(":")[0] for url in asked} == {"file", "data"}
    assert {url for url in asked if url.startswith("file")} == {page.current_url}
    assert page.get_log("browser") == []


def test_on_a_phone_nothing_sticks_out(browser, pages):
    metrics = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.get((pages / "long.html").as_uri())
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 390
    assert browser.execute_script(
        "return [...document.querySelectorAll('td, .marks span, .times span')].every("
        "cell => parseFloat(getComputedStyle(cell).fontSize) >= 12)"
    )
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_the_list_of_songs_sorts(browser, pages):
    browser.get((pages / "index.html").as_uri())

    def names():
        return [link.text for link in browser.find_elements("css selector", "td a")]

    length = browser.find_elements("css selector", "th button")[1]
    length.click()
    assert names() == ["short", "index", "long"]
    length.click()
    assert names() == ["long", "index", "short"]


def test_without_a_script_the_pictures_are_there(pages, browser):
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    browser.get((pages / "long.html").as_uri())
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    assert browser.find_element("css selector", "audio").is_displayed()
    assert len(browser.find_elements("css selector", ".plot img")) == 5
    shown = browser.find_elements("css selector", ".cursor, .dot, .here")
    assert not any(element.is_displayed() for element in shown)
