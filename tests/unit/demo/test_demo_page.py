from ciranda.demo import page


def test_what_is_written_between_the_tags_is_read() -> None:
    assert page.text("<h1>r1 &amp; r2</h1><style>held{}</style>\n<p class='prod'>a  b</p>") == "r1 & r2 a b"
