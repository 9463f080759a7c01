"""Tables as pages that a browser shows."""

from html.parser import HTMLParser

from fkd.report.hypertext import write_hypertext


class Cells(HTMLParser):
    """The cells of a page's tables, and its tags."""

    def __init__(self):
        super().__init__()
        self.tags, self.open, self.cells, self.title = [], "", [], ""

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.open = tag
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_endtag(self, tag):
        self.open = ""

    def handle_data(self, data):
        if self.open in ("td", "th"):
            self.cells[-1] += data
        if self.open == "title":
            self.title += data


def test_a_table_becomes_cells_and_html_stays_text(tmp_path):
    text = (
        "# Students & teacher\n\n| model | EER |\n|:--|--:|\n| <script>x</script> | 7 ± 1 \\*† |\n"
    )
    (tmp_path / "eer.md").write_text(text)
    write_hypertext(markdown=tmp_path / "eer.md", out=tmp_path / "eer.html")
    page = Cells()
    page.feed((tmp_path / "eer.html").read_text())
    assert page.title.strip() == "Students & teacher"
    assert page.cells == ["model", "EER", "<script>x</script>", "7 ± 1 *†"]
    assert "script" not in page.tags
    assert not {"link", "img"} & set(page.tags)  # it needs no other file
