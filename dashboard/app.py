"""The entry that `streamlit run` gets: the pages, and a sidebar that says what is shown and from when."""

from pathlib import Path

import streamlit as st

from catalog.errors import PgatticError
from dashboard.data import cached_overview, config_path, forget
from dashboard.model import Overview
from dashboard.words import plain, prose

# As narrow as its words allow: a small screen should show the page.
_SIDEBAR_PIXELS = 230
# Streamlit cuts off the label of a link that is longer than its place; a name shall go on in the next line.
_WHOLE_NAMES = """<style>
[data-testid=stPageLink-NavLink] span:has([data-testid=stMarkdownContainer]),
[data-testid=stPageLink-NavLink] [data-testid=stMarkdownContainer],
[data-testid=stPageLink-NavLink] [data-testid=stMarkdownContainer] p
{ white-space: normal; overflow-wrap: anywhere }
</style>"""


def main() -> None:
    """Draw the page that was asked for, inside the frame that all share."""
    # A file of ours: Streamlit's own icons for the browser's tab come from a foreign server.
    icon = Path(__file__).with_name("icon.svg")
    st.set_page_config(
        page_title="pgattic", page_icon=icon, layout="wide", initial_sidebar_state=_SIDEBAR_PIXELS
    )
    st.html(_WHOLE_NAMES)
    page = st.navigation(
        [
            st.Page("views/overview.py", title="Overview", icon=":material/home_storage:", default=True),
            st.Page("views/element.py", title="Element", icon=":material/deployed_code:"),
        ]
    )
    try:
        _sidebar(cached_overview(config_path()))
        page.run()
    except PgatticError as error:
        st.error(prose(str(error)), icon=":material/error:")


def _sidebar(overview: Overview) -> None:
    with st.sidebar:
        st.markdown("### pgattic")
        st.caption("Unused elements go to the attic before anyone throws them out.")
        st.markdown(
            f":material/database: {plain(overview.database)}  \n"
            f":material/schedule: {overview.read_at:%Y-%m-%d %H:%M:%S} UTC"
        )
        st.button("Refresh", icon=":material/refresh:", on_click=forget, width="stretch")


if __name__ == "__main__":
    main()
