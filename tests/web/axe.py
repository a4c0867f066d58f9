"""What axe finds in a page, in light and dark, wide and narrow."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Page

AXE = Path(__file__).parent / "vendor" / "axe.min.js"
WIDTHS = (1280, 390)
THEMES = ("light", "dark")
_RUN = """async (within) => {
  const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa"];
  const options = { runOnly: tags, resultTypes: ["violations"], preload: false, elementRef: false };
  const { violations } = await axe.run(within, options);
  return violations.map(({ id, nodes }) => [id, nodes.slice(0, 3).map((node) => node.html.slice(0, 200))]);
}"""


def look(page: "Page", what: str, within: str = "html") -> list[Any]:
    """The violations of WCAG 2.2 A and AA in each theme and at each width; and whether the page scrolls sideways.

    `within` is what has not been looked at yet, such as a dialog over a page.
    """
    # By the protocol, not as an element: the policy of the page lets no script in.
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(AXE.read_text())
    found: list[Any] = []
    for width in reversed(WIDTHS):
        page.set_viewport_size({"width": width, "height": 800})
        for theme in THEMES:
            page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
            found += [(what, width, theme, *one) for one in page.evaluate(_RUN, within)]
        if page.evaluate("() => document.documentElement.scrollWidth > document.documentElement.clientWidth"):
            found.append((what, width, "scrolls sideways"))
    return found
